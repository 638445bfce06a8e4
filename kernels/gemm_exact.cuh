#pragma once
#include "kernels/device/exact_tiling.h"
#include "kernels/gemm_quantized.h"

namespace svdlab::detail {

/// The loop kExact with the tiling of exact_tiling, or with another for comparison. `op` has been checked,
/// and op.next is not looked at.
void gemm_exact_cuda(const GemmQuantized& op, Stream stream);
void gemm_exact_cuda(const GemmQuantized& op, device::ExactTiling tiling, Stream stream);

}  // namespace svdlab::detail
