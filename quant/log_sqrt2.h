#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

// Codes of powers of the square root of 2 for values in [0, scale], such as attention probabilities
// (RepQ-ViT, arXiv 2212.08254, section 3.3): code q stands for scale * 2^(-q/2), the largest code also for
// what is smaller. No linear of a diffusion transformer here has such an input; this is the quantizer alone.

/// round(-2 log2(x / scale)) to nearest, clamped to 0 .. 2^bits - 1.
/// @param x  fp32, >= 0 and finite, else kInput.  @param scale  > 0.  @return  int64 codes of x's shape.
Tensor log_sqrt2_encode(const Tensor& x, double scale, int bits);

/// scale * 2^-ceil(q/2) * (sqrt2 where q is odd, else 1): a shift and one of two factors, fp32.
Tensor log_sqrt2_decode(const Tensor& codes, double scale);

/// What the codes of `bits` bits stand for at scale 1, ascending: a codebook for NumberFormat::kCodebook
/// (which rounds to the nearest value, not the nearest exponent). [2^bits] fp32.
Tensor log_sqrt2_codebook(int bits);

}  // namespace svdlab
