#pragma once
#include "core/base/view.h"
#include "kernels/number_format.h"

namespace svdlab {

/// A quantized matrix as the kernels see it:
/// value(r, c) = decode(codes(r, c)) * scales(r, c / group) * tensor_scale, fp32, from left to right, where
/// kAffine decodes to code - zeros(r, c / group) and kCodebook to codebook[code].
struct CodedMatrix {
  NumberFormat format = NumberFormat::kInt4;
  int64_t group = 0;                ///< columns that share a scale; divides the columns
  MatrixView<const uint8_t> codes;  ///< one code a byte
  MatrixView<const float> scales;   ///< [rows, cols / group], or one row of scales that serves every row
  float tensor_scale = 1.0f;
  MatrixView<const float> zeros = {};  ///< kAffine: zero points, shaped like scales
  const float* codebook = nullptr;     ///< kCodebook

  int64_t rows() const { return codes.rows; }
  int64_t cols() const { return codes.cols; }
  const float* scale_row(int64_t r) const { return scales.row(scales.rows == 1 ? 0 : r); }
  const float* zero_row(int64_t r) const { return zeros.row(zeros.rows == 1 ? 0 : r); }
};

/// Throws kInput when group, scales and codes of `q` do not fit together; `what` starts the message.
void check_coded(const CodedMatrix& q, const char* what);

}  // namespace svdlab
