#pragma once
#include "kernels/packed_matrix.h"
#include "kernels/stream.h"

namespace svdlab::detail {

/// `a`, int8 codes or e2m1 codes times their scales, as fp16 numbers in row-major `out` [rows, cols], in the
/// order of columns of device/expand_halves.h; e2m1 ones are kE2M1HalfUnit / kE4M3HalfLift too small.
void expand_halves_cuda(const PackedMatrix& a, uint16_t* out, Stream stream);

}  // namespace svdlab::detail
