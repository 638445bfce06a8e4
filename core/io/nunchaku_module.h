#pragma once
#include <string>
#include <vector>

#include "core/ir/compressed.h"

namespace svdlab {

enum class NunchakuPrecision { kInt4, kNvfp4 };
/// "int4" or "nvfp4", the names of the built-in schemes with the same weights.
std::string to_string(NunchakuPrecision precision);

/// The numbers of one of Nunchaku's W4A4 linears, row-major and without padding. The kernels compute
///   y = bias + row_scales * tensor_scale * Q_a((x + shift) / smooth) W^T + (x down^T) up^T
/// so `down` acts on x itself and `bias` holds what takes the shift off again.
struct NunchakuW4A4 {
  NunchakuPrecision precision = NunchakuPrecision::kInt4;
  Tensor codes;            ///< [N, K] uint8
  Tensor scales;           ///< [N, K/64] values of bf16 or [N, K/16] of e4m3, fp32 as all below
  float tensor_scale = 1;  ///< nvfp4
  Tensor row_scales;       ///< [N] values of bf16; nvfp4
  Tensor bias;             ///< [N] values of bf16, or undefined
  Tensor smooth;           ///< [K] values of bf16
  Tensor down, up;         ///< [R, K] and [N, R] values of bf16; R may be 0

  int64_t rows() const { return codes.size(0); }
  int64_t columns() const { return codes.size(1); }
};

/// What `members`, linears of one input stacked by rows, are in columns [range.begin, range.end) of theirs.
/// Kept bit for bit: codes, scales, smooth, up. Rounded once to bf16: down / smooth, and the bias where it is
/// no bf16 or takes the shift behind GELU off. Members whose tensor scales differ get the largest one and
/// the bf16 ratio to it as row scales. Members with factors of their own get them as one block-diagonal
/// factor. Throws kConfig naming the linear that is not of scheme int4 or nvfp4, quantizes an int4 GELU
/// without the shift, or does not agree with the first in smoothing.
NunchakuW4A4 nunchaku_w4a4(const std::vector<CompressedLinear>& members, const Segment& range);

/// The opposite for the rows [begin, end) of `module`, whose input comes from `producer`: a linear of one
/// segment with bias and down as they are with the shift and the division by smooth undone, in fp32. Throws
/// kInput when these rows have several row scales.
CompressedLinear linear_of(const std::string& name, const NunchakuW4A4& module, int64_t begin, int64_t end,
                           Producer producer);
/// A linear over the columns of `left` and then those of `right`, which has the bias. Throws kInput when
/// their up factors or tensor scales are not the same.
CompressedLinear joined_columns(const CompressedLinear& left, const CompressedLinear& right);

}  // namespace svdlab
