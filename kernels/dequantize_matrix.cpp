#include "kernels/dequantize_matrix.h"

#include "core/base/error.h"

namespace svdlab {

void dequantize_matrix(const CodedMatrix& q, const float* subtract, MatrixView<float> out, Stream stream) {
  check_coded(q, "dequantize");
  SVDLAB_REQUIRE(out.rows == q.rows() && out.cols == q.cols(), Errc::kUnexpected, "dequantize: output is [",
                 out.rows, ", ", out.cols, "] for codes [", q.rows(), ", ", q.cols(), "]");
  if (stream.device == Device::kCuda) return detail::dequantize_matrix_cuda(q, subtract, out, stream);
  detail::dequantize_matrix_cpu(q, subtract, out);
}

}  // namespace svdlab
