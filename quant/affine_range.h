#pragma once
#include "core/ir/scheme.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// Scale and zero point of affine codes, value = (code - zero) * scale, the same shape each.
struct AffineRange {
  Tensor scale;  ///< fp32 > 0, values of the scale format
  Tensor zero;   ///< fp32, integers 0 .. 2^bits - 1
};

/// The range that the codes 0 .. 2^bits - 1 spread over [low, high], widened to hold 0, which a code stands
/// for exactly (Krishnamoorthi, arXiv 1806.08342, section 2.1). Nothing but zeros: the smallest scale, zero
/// point 0. The zero point is rounded for the rounded scale, so an end may be missed by half a step.
/// @param low, high  of any shape, finite.  @param scale  fp32 or bf16, else kConfig.
AffineRange affine_range(const Tensor& low, const Tensor& high, int bits, ScaleFormat scale);

}  // namespace svdlab
