#pragma once
#include "kernels/gemm_quantized.h"

namespace svdlab::detail {

/// The loops kInt8 and kNvfp4 on sm_90 (gemm_mma_cuda has them for other architectures, with the same
/// layouts). `op` has been checked; op.next and op.norm_rope are not looked at; int4 weights have row_powers.
/// @param workspace  gemm_wgmma_workspace bytes
/// @param tokens     of a tile: 128, 192, 224 or 256; 0: what plain_tokens says
void gemm_wgmma_cuda(const GemmQuantized& op, MainLoop loop, void* workspace, Stream stream, int tokens = 0);

/// Room for the activations as fp16 numbers, which all but W8A8 multiply.
int64_t gemm_wgmma_workspace(const GemmQuantized& op);

}  // namespace svdlab::detail
