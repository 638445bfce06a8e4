#pragma once
#include "core/base/view.h"
#include "kernels/number_format.h"
#include "kernels/stream.h"

namespace svdlab {

/// How quantize_matrix turns values into codes and scales.
struct QuantizeSpec {
  NumberFormat format = NumberFormat::kInt4;
  ScaleFormat scale = ScaleFormat::kBf16;
  int64_t group = 64;                  ///< columns that share a scale; divides the columns
  bool two_level = false;              ///< kE4M3 scales below one fp32 scale of the matrix (nvfp4 weights)
  float shift = 0.0f;                  ///< added before the division, kUint4 only
  int bits = 4;                        ///< kAffine: codes are 0 .. 2^bits - 1
  MatrixView<const float> zeros = {};  ///< kAffine, encode_matrix only: shaped like the scales
  const float* codebook = nullptr;     ///< kCodebook: `levels` ascending values
  int levels = 0;
};

/// Bytes of `Stream::workspace` that the two ops below need on a GPU. There they wait for the stream: what is
/// not finite must be known. Formats on a GPU: all but affine and codebook, the same bits as on the CPU.
inline constexpr int64_t kQuantizeWorkspace = 16;

/// Largest magnitude a code of the format stands for: 7, 15, 127, 1, 6; a codebook's is 1. kConfig for
/// kAffine, whose range depends on its zero point.
float largest_code_value(NumberFormat format);

/// Round to nearest of value(r, c) = (x(r, c) + shift) / divide_by[c], in fp32. With q = largest_code_value
/// and amax the largest |value| of a group (kUint4: the largest value, and what is below zero clips to code
/// 0), its scale is
///   kFp32, kBf16  amax / q, rounded to nearest even;
///   kE4M3         amax / q / T, rounded to nearest even, at most 448;
///   kE8M0         2^(floor(log2 amax) - floor(log2 q)), the floor rule of OCP Microscaling: codes may
///   saturate;
/// T = (largest |value| of the matrix) / q / 448 with two_level, else 1. Codes are value / (scale * T),
/// rounded to the nearest code: the scale that divides is the one that is stored (DeepCompressor;
/// svdquant.md 2.5). All-zero and tiny groups stay decodable: scales are at least 2^-126 (fp32, bf16, e8m0)
/// or 2^-9 (e4m3), T at least 2^-117, so that 0 / scale is 0 and no scale is subnormal.
/// At the other end a scale stays so small that q * scale * T is finite.
/// @param x          [rows, cols], finite, else kInput with the first offender.
/// @param divide_by  [cols] finite and > 0 (the smoothing vector), or nullptr for 1.
/// @param codes      [rows, cols] out, one code a byte; high nibble 0 for 4-bit formats.
/// @param scales     [rows, cols / group] out, or one row: each column group of the matrix then has one scale
/// for all rows.
/// @return the scale of the matrix, T.
float quantize_matrix(MatrixView<const float> x, const float* divide_by, const QuantizeSpec& spec,
                      MatrixView<uint8_t> codes, MatrixView<float> scales, Stream stream = {});

/// The second half of quantize_matrix, with scales that are given: finite and > 0, else kInput. A kAffine
/// code is value / scale + zero, rounded to nearest even and clamped; a kCodebook code is that of the nearest
/// level, the lower of two that are as near.
void encode_matrix(MatrixView<const float> x, const float* divide_by, const QuantizeSpec& spec,
                   MatrixView<const float> scales, float tensor_scale, MatrixView<uint8_t> codes,
                   Stream stream = {});

namespace detail {
/// T of a matrix whose largest magnitude is `amax`.
float tensor_scale_of(float amax, NumberFormat format);
/// A scale of the bits in `mask` close to the largest whose product with `largest` is finite.
float largest_scale(float largest, uint32_t mask);
/// False when a value is not finite; scales are then unspecified.
bool find_scales_cpu(MatrixView<const float> x, const float* divide_by, const QuantizeSpec& spec,
                     MatrixView<float> scales, float* tensor_scale);
void encode_matrix_cpu(MatrixView<const float> x, const float* divide_by, const QuantizeSpec& spec,
                       MatrixView<const float> scales, float tensor_scale, MatrixView<uint8_t> codes);
float quantize_matrix_cuda(MatrixView<const float> x, const float* divide_by, const QuantizeSpec& spec,
                           MatrixView<uint8_t> codes, MatrixView<float> scales, Stream stream);
void encode_matrix_cuda(MatrixView<const float> x, const float* divide_by, const QuantizeSpec& spec,
                        MatrixView<const float> scales, float tensor_scale, MatrixView<uint8_t> codes,
                        Stream stream);
}  // namespace detail

}  // namespace svdlab
