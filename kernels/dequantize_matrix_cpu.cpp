#include "core/base/error.h"
#include "core/formats/fp4_e2m1.h"
#include "core/formats/int4.h"
#include "core/formats/int8.h"
#include "core/formats/nf4.h"
#include "core/formats/uint4.h"
#include "kernels/dequantize_matrix.h"
#include "kernels/wide.h"

namespace svdlab::detail {
namespace {

template <auto decode>
SVDLAB_WIDE void decode_matrix(const CodedMatrix& q, const float* subtract, MatrixView<float> out) {
  for (int64_t r = 0; r < q.rows(); ++r) {
    const float* scales = q.scale_row(r);
    for (int64_t g = 0; g < q.scales.cols; ++g) {
      const uint8_t* codes = q.codes.row(r) + g * q.group;
      float* row = out.row(r) + g * q.group;
      for (int64_t i = 0; i < q.group; ++i) row[i] = decode(codes[i]) * scales[g] * q.tensor_scale;
    }
    for (int64_t c = 0; subtract && c < q.cols(); ++c) out(r, c) -= subtract[c];
  }
}

void decode_general(const CodedMatrix& q, const float* subtract, MatrixView<float> out) {
  const bool affine = q.format == NumberFormat::kAffine;
  for (int64_t r = 0; r < q.rows(); ++r) {
    const float *scales = q.scale_row(r), *zeros = affine ? q.zero_row(r) : nullptr;
    for (int64_t c = 0; c < q.cols(); ++c) {
      const int64_t g = c / q.group;
      const float number = affine ? static_cast<float>(q.codes(r, c)) - zeros[g] : q.codebook[q.codes(r, c)];
      out(r, c) = number * scales[g] * q.tensor_scale - (subtract ? subtract[c] : 0.0f);
    }
  }
}

}  // namespace

void dequantize_matrix_cpu(const CodedMatrix& q, const float* subtract, MatrixView<float> out) {
  switch (q.format) {
    case NumberFormat::kInt4:
      return decode_matrix<int4_decode>(q, subtract, out);
    case NumberFormat::kUint4:
      return decode_matrix<uint4_decode>(q, subtract, out);
    case NumberFormat::kInt8:
      return decode_matrix<int8_decode>(q, subtract, out);
    case NumberFormat::kNf4:
      return decode_matrix<nf4_decode>(q, subtract, out);
    case NumberFormat::kFp4E2M1:
      return decode_matrix<fp4_e2m1_decode>(q, subtract, out);
    case NumberFormat::kAffine:
    case NumberFormat::kCodebook:
      return decode_general(q, subtract, out);
  }
  throw Error(Errc::kUnexpected, "dequantize: unknown number format");
}

}  // namespace svdlab::detail
