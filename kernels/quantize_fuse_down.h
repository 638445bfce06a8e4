#pragma once
#include "kernels/half.h"
#include "kernels/packed_matrix.h"
#include "kernels/quantize_matrix.h"
#include "kernels/stream.h"

namespace svdlab {

/// What becomes of the input of a compressed linear: codes and scales for the low-bit branch, and the
/// down-projection of the low-rank branch.
struct QuantizeTarget {
  /// fp32 [K], finite and > 0 (the smoothing vector), or nullptr for 1. Divides what is quantized, not what
  /// `down` sees.
  const float* divide_by = nullptr;
  /// int4 or uint4 with bf16 scales and group 64; e2m1 with e4m3 scales and group 16; int8 with fp32 scales
  /// and group K. Not two_level: the scales of activations have one level.
  QuantizeSpec spec;
  /// [rank, K], rank 0 (no low-rank branch) to 128 in steps of 16, of x's type, strides a multiple of 8. It
  /// acts on x itself: its maker has divided it by the smoothing vector.
  HalfMatrix down;
  /// What rounding to 16 bits left of `down`, in the same shape: the factor is down + down_low. Empty: 0.
  HalfMatrix down_low;
  /// [M, K] out. layout kNibbles or kE4M3 for 4 bits, kBytes for int8; format, scale, group are those of
  /// `spec` (with uint4: format kInt4, unsigned_from 0). row_powers is filled in unless it is nullptr.
  PackedOutput codes;
  /// [M, rank] out, fp32, 16-byte aligned, its stride a multiple of 4: the 16-bit product would cost more
  /// than all the rest of the kernels' rounding.
  MatrixView<float> low_rank;
};

/// What is done to x first. Each step's result is rounded once to x's type (core/runtime/precision.h), so
/// that the codes are those of the unfused graph.
enum class InputStep {
  kNone,
  kLayerNormModulate,  ///< n = round(layer_norm(x)), x' = round(n * round(1 + scale) + shift)
  kGelu,               ///< x' = round(gelu(x)), tanh form
};

/// Operands of kLayerNormModulate, of x's type.
struct Modulation {
  const uint16_t* scale = nullptr;  ///< [K], aligned to 16 bytes
  const uint16_t* shift = nullptr;  ///< [K], aligned to 16 bytes
  float epsilon = 1e-6f;
};

struct QuantizeFuseDown {
  HalfMatrix x;  ///< [M, K], M >= 1, K a multiple of 64 up to 131072, stride a multiple of 8, 16-byte aligned
  InputStep step = InputStep::kNone;
  Modulation modulation;
  QuantizeTarget target;
  /// True for the second and later column ranges of an input that has several producers (FLUX's `proj_out`:
  /// attention, then GELU): low_rank is added to, in call order, and row_powers only rises.
  bool continues = false;
};

/// One read of x. With x' = x after the step:
///   codes, scales = quantize_matrix(x', divide_by, spec), to the byte;
///   low_rank(m, r) = sum_k x'(m, k) (down + down_low)(r, k), in fp64 here, rounded once; a GPU sums in fp32
///   in an order that depends on the shape alone.
/// A value that is not finite: kInput naming it on the CPU; on a GPU the scale of its group becomes NaN.
/// Shapes, strides, alignment: kInput. Format, group, rank, layout that are not served: kConfig. All with the
/// values. (SVDQuant, arXiv 2411.05007, section 4.2; svdquant.md 4.1)
void quantize_fuse_down(const QuantizeFuseDown& op, Stream stream = {});

/// Bytes of Stream::workspace that the op needs; 0 on the CPU.
int64_t quantize_fuse_down_workspace(const QuantizeFuseDown& op, Device device);

/// Throws what quantize_fuse_down would for `target` and an input of that type and shape; `what` starts the
/// message.
void check_quantize_target(const QuantizeTarget& target, HalfType type, int64_t m, int64_t k,
                           const char* what);

namespace detail {
void quantize_fuse_down_cpu(const QuantizeFuseDown& op);
void quantize_fuse_down_cuda(const QuantizeFuseDown& op, Stream stream);
int64_t quantize_fuse_down_workspace_cuda(const QuantizeFuseDown& op);
}  // namespace detail

}  // namespace svdlab
