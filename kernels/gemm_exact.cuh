#pragma once
#include "kernels/gemm_quantized.h"

namespace svdlab::detail {

/// The loop kExact in clusters of exact_cluster blocks, or of another size for comparison. `op` has been
/// checked, and op.next is not looked at.
void gemm_exact_cuda(const GemmQuantized& op, Stream stream);
void gemm_exact_cuda(const GemmQuantized& op, int cluster, Stream stream);

}  // namespace svdlab::detail
