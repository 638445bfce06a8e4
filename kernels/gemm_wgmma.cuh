#pragma once
#include "kernels/device/plain_tiling.h"
#include "kernels/gemm_quantized.h"

namespace svdlab::detail {

/// The loops kInt8 and kNvfp4 on sm_90 (gemm_mma_cuda has them for other architectures, with the same
/// layouts), with the tiling of plain_tiling, or with another for comparison. `op` has been checked; op.next
/// and op.norm_rope are not looked at. `workspace` has gemm_wgmma_workspace bytes.
void gemm_wgmma_cuda(const GemmQuantized& op, MainLoop loop, void* workspace, Stream stream);
void gemm_wgmma_cuda(const GemmQuantized& op, MainLoop loop, device::PlainTiling tiling, void* workspace,
                     Stream stream);

/// Room for the activations as fp16 numbers, which all but W8A8 multiply.
int64_t gemm_wgmma_workspace(const GemmQuantized& op);

}  // namespace svdlab::detail
