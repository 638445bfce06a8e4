#include "experiments/sampling/latents.h"

#include "core/base/error.h"
#include "core/base/rng.h"

namespace svdlab {

Tensor pack_latents(const Tensor& images) {
  const int64_t b = images.size(0), c = images.size(1), h = images.size(2), w = images.size(3);
  SVDLAB_REQUIRE(h % 2 == 0 && w % 2 == 0, Errc::kInput, "images are ", h, " x ", w,
                 ", height and width must be even");
  return images.view({b, c, h / 2, 2, w / 2, 2})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({b, h / 2 * (w / 2), c * 4});
}

Tensor unpack_latents(const Tensor& tokens, int64_t height, int64_t width) {
  const int64_t b = tokens.size(0), c = tokens.size(2) / 4, h = height / 2, w = width / 2;
  SVDLAB_REQUIRE(tokens.size(1) == h * w, Errc::kInput, tokens.size(1), " tokens do not fill ", height, " x ",
                 width, " pixels; expected ", h * w);
  return tokens.view({b, h, w, c, 2, 2}).permute({0, 3, 1, 4, 2, 5}).reshape({b, c, height, width});
}

Tensor image_ids(int64_t height, int64_t width, const at::TensorOptions& options) {
  Tensor ids = at::zeros({height / 2, width / 2, 3}, options);
  ids.select(2, 1).copy_(at::arange(height / 2, options).unsqueeze(1).expand({height / 2, width / 2}));
  ids.select(2, 2).copy_(at::arange(width / 2, options).unsqueeze(0).expand({height / 2, width / 2}));
  return ids.view({-1, 3});
}

Tensor item_noise(uint64_t seed, const std::string& item, int64_t tokens, int64_t channels) {
  const Rng rng(seed, "noise/" + item);
  Tensor noise = at::empty({1, tokens, channels}, at::kFloat);
  float* out = noise.data_ptr<float>();
  for (int64_t i = 0; i < tokens * channels; ++i) out[i] = static_cast<float>(rng.normal(i));
  return noise;
}

Image to_image(const Tensor& pixels) {
  const Tensor bytes = ((pixels.to(at::kFloat) + 1.0) * 127.5)
                           .round()
                           .clamp(0, 255)
                           .to(at::kByte)
                           .permute({1, 2, 0})
                           .contiguous()
                           .cpu();
  Image image{.width = static_cast<int>(bytes.size(1)), .height = static_cast<int>(bytes.size(0)), .rgb = {}};
  image.rgb.assign(bytes.data_ptr<uint8_t>(), bytes.data_ptr<uint8_t>() + bytes.numel());
  return image;
}

}  // namespace svdlab
