#pragma once
#include "kernels/half.h"
#include "kernels/packed_matrix.h"
#include "kernels/stream.h"

namespace svdlab {

/// A linear with 4-bit weights and 16-bit activations: adaLN projections (one row per item) and weight-only
/// baselines.
struct GemmWeightOnly {
  HalfMatrix x;    ///< [M, K], 16-byte aligned, stride a multiple of 8, K a multiple of 64 up to 131072
  PackedMatrix w;  ///< [N, K] in kNibbles, int4 or nf4, bf16 scales, group 64, N a multiple of 8
  const float* divide_by = nullptr;  ///< fp32 [K] finite and > 0: x / divide_by is multiplied; nullptr for 1
  const float* bias = nullptr;       ///< [N] or nullptr for 0
  MatrixView<const float> low_rank;  ///< [M, rank], rank 0..128 in steps of 16, stride of 4
  HalfMatrix up;                     ///< [N, rank], of either type, strides a multiple of 8
  HalfOutput out;                    ///< [M, N], of x's type, 16-byte aligned, stride a multiple of 8
};

/// out(m, n) = round(S + L + bias[n]): S = sum_k x(m, k) / divide_by[k] * w(n, k) as in gemm_codes.h (fp64
/// inside a group, groups added in fp32), L as in gemm_quantized.h. A GPU may round x / divide_by and the
/// decoded weight to 16 bits; its SQNR against fp64 is at least 54 dB without divide_by, 50 dB with. M <= 16
/// has a path of its own there. Errors as quantize_fuse_down's.
void gemm_weight_only(const GemmWeightOnly& op, Stream stream = {});

namespace detail {
void gemm_weight_only_cpu(const GemmWeightOnly& op);
void gemm_weight_only_cuda(const GemmWeightOnly& op, Stream stream);
}  // namespace detail

}  // namespace svdlab
