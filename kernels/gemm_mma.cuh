#pragma once
#include "kernels/gemm_quantized.h"

namespace svdlab::detail {

/// The loops kInt8, kMmaS4, kNvfp4 (sm_80 and later) and kNvfp4Block (sm_120a) on warp-level instructions.
/// `op` has been checked; op.next and op.norm_rope are not looked at.
void gemm_mma_cuda(const GemmQuantized& op, MainLoop loop, Stream stream);

}  // namespace svdlab::detail
