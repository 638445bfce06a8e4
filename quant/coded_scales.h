#pragma once
#include <cstdint>

#include "core/base/value.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// Scales that are themselves quantized: runs of `group` neighbours share their smallest value and a step,
/// both in 16 bit; each is that value plus code * step, code 0 .. 2^bits - 1. QLoRA (arXiv 2305.14314) does
/// so with 8 bits and runs of 256 ("double quantization"), SpQR (arXiv 2306.03078) with 3 bits and runs of
/// 16.
struct ScaleCoding {
  int bits = 8;
  int64_t group = 256;
};

/// What `values` decode to after coding. The 16-bit numbers are bf16, so that no scale is too large or too
/// small for them.
/// @param values  fp32, finite, of any shape; runs are taken in row-major order, the last may be shorter.
Tensor coded(const Tensor& values, const ScaleCoding& coding);

}  // namespace svdlab
