#pragma once
#include "kernels/gemm_quantized.h"

namespace svdlab::detail {

/// NormRope's two steps on the rounded output of a projection, in place; for loops that do not do it
/// themselves. One more read and write of the query and key columns.
void norm_rope_cuda(const NormRope& rope, const HalfOutput& out, Stream stream);

}  // namespace svdlab::detail
