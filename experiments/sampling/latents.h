#pragma once
#include <cstdint>
#include <string>

#include "core/io/png.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// FLUX's packing: images [B, C, H, W] -> tokens [B, H/2 * W/2, 4 C], each token a 2 x 2 patch, channels
/// slowest.
Tensor pack_latents(const Tensor& images);
/// The inverse; height and width are of the image.
Tensor unpack_latents(const Tensor& tokens, int64_t height, int64_t width);

/// Position ids [H/2 * W/2, 3] of packed tokens: (0, row, column).
Tensor image_ids(int64_t height, int64_t width, const at::TensorOptions& options);

/// Standard normal noise [1, tokens, channels] fp32 that depends on seed and item name alone.
Tensor item_noise(uint64_t seed, const std::string& item, int64_t tokens, int64_t channels);

/// [3, H, W] in [-1, 1] -> 8-bit RGB, rounded to nearest and clamped.
Image to_image(const Tensor& pixels);

}  // namespace svdlab
