#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

// Levels of weights, fp32 and ascending in [-1, 1], with 0 among them.

/// 0 and +-2^(-k/2), k = 0 .. 2^(bits - 1) - 2: powers of the square root of 2, so that a product is a shift
/// and, for odd k, one multiplication by 1 / sqrt(2) (ASQ/POST, arXiv 2504.17263). 2^bits - 1 levels; the
/// smallest one besides 0 falls with bits, so below 4 bits the range is too short to be of use.
/// @param bits  2 to 8.
Tensor post_levels(int bits);

/// NormalFloat (QLoRA, arXiv 2305.14314, appendix E) with any number of bits: quantiles of a normal
/// distribution, 2^(bits - 1) above 0 and one fewer below, scaled to [-1, 1]. With 4 bits kNf4Values.
/// @param bits  2 to 8.
Tensor normal_float_levels(int bits);

}  // namespace svdlab
