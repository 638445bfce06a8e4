#pragma once
#include <optional>

#include "kernels/half.h"
#include "kernels/main_loop.h"
#include "kernels/packed_matrix.h"
#include "kernels/quantize_fuse_down.h"
#include "kernels/stream.h"

namespace svdlab {

/// RMSNorm of the query and key heads, then rotary embedding, for a fused projection of N = 3 * heads *
/// head_dim columns: query heads | key heads | value heads.
struct NormRope {
  int64_t heads = 0, head_dim = 0;      ///< head_dim a multiple of 16, at most 128
  const float* query_weight = nullptr;  ///< [head_dim], 16-byte aligned, as is key_weight
  const float* key_weight = nullptr;    ///< [head_dim]
  float epsilon = 1e-6f;
  MatrixView<const float> table;  ///< [M, head_dim]: cos and sin of pair p of token m at columns 2p, 2p + 1
};

/// A compressed linear after quantize_fuse_down: the low-bit product with what follows it.
struct GemmQuantized {
  PackedMatrix a;  ///< [M, K], as quantize_fuse_down leaves it
  PackedMatrix w;  ///< [N, K]; N a multiple of 8, K a multiple of 64 up to 131072
  /// The pairs that have a meaning: int4 (and uint4 columns) x int4 group 64; e2m1 x e2m1 group 16, both with
  /// e4m3 scales; int8 (group K) x int4 group 64 or int8 (group K).
  const float* channel_scale = nullptr;  ///< [N] or nullptr for 1, on the low-bit product alone
  const float* bias = nullptr;       ///< [N] or nullptr for 0; what a shift of the input adds is folded in
  MatrixView<const float> low_rank;  ///< [M, rank], see QuantizeTarget; rank 0..128 in steps of 16
  HalfMatrix up;                     ///< [N, rank], strides a multiple of 8
  HalfOutput out;                    ///< [M, N], 16-byte aligned, stride a multiple of 8
  /// Behind GELU, the operands of the next linear (K' = N): what quantize_fuse_down(round(y), kGelu, *next)
  /// would give; `out` may then have no data, but its type is still what y is rounded to. A GPU gets at most
  /// 1 of 1000 codes wrong by one for its own round(y). Against this side's, kExact differs (emulated) in 2
  /// of 1000, because its fp16 partial sums leave y at about 70 dB.
  const QuantizeTarget* next = nullptr;
  const NormRope* norm_rope = nullptr;  ///< not together with `next`
  std::optional<MainLoop> main_loop;    ///< absent: choose_main_loop decides. The CPU has one loop for all.
};

/// y(m, n) = channel_scale[n] * S + L + bias[n], with S of gemm_codes.h (columns before and from
/// a.unsigned_from on are two products, added up) and L = sum_r low_rank(m, r) up(n, r), fp32 from left to
/// right; out = y rounded once to 16 bits. With norm_rope, for query and key heads, out = h with
///   n = round(round(y) * rsqrt(mean(round(y)^2) + epsilon) * weight), h = round(n turned by the table),
/// pairs (x0, x1) -> (x0 cos - x1 sin, x0 sin + x1 cos); mean and rsqrt in fp64 here.
/// A GPU: integer group sums are exact (kExact holds them in fp16, so beyond 2048 to 11 bits); SQNR against
/// fp64 on the same operands at least 54 dB with bf16, 60 dB with fp16 output. Errors as
/// quantize_fuse_down's; kConfig "no main loop" with every loop's reason. (SVDQuant, arXiv 2411.05007,
/// section 4.2; svdquant.md 4.2, kernels.md 3.4 and 4.3)
void gemm_quantized(const GemmQuantized& op, Stream stream = {});

/// Bytes of Stream::workspace that the op needs; 0 on the CPU.
int64_t gemm_quantized_workspace(const GemmQuantized& op, Device device);

/// What choose_main_loop is asked for `op`.
LoopProblem loop_problem(const GemmQuantized& op);

namespace detail {
void gemm_quantized_cpu(const GemmQuantized& op);
/// `op` has been checked and its layouts are those of `loop`.
void gemm_quantized_cuda(const GemmQuantized& op, MainLoop loop, Stream stream);
int64_t gemm_quantized_workspace_cuda(const GemmQuantized& op, MainLoop loop);
}  // namespace detail

}  // namespace svdlab
