#include <vector>

#include "kernels/up_projection.h"

namespace svdlab::detail {

void add_up_and_bias_cpu(MatrixView<const float> low_rank, const HalfMatrix& up, const float* bias,
                         MatrixView<float> out) {
  std::vector<float> factor(up.cols());
  for (int64_t n = 0; n < out.cols; ++n) {
    for (int64_t r = 0; r < up.cols(); ++r) factor[r] = half_decode(up.type, up.bits(n, r));
    for (int64_t m = 0; m < out.rows; ++m) {
      float sum = 0;
      for (int64_t r = 0; r < up.cols(); ++r) sum += low_rank(m, r) * factor[r];
      out(m, n) += sum;
      if (bias) out(m, n) += bias[n];
    }
  }
}

void store_half_cpu(MatrixView<const float> y, const HalfOutput& out) {
  for (int64_t m = 0; m < y.rows; ++m)
    for (int64_t n = 0; n < y.cols; ++n) out.bits(m, n) = half_encode(out.type, y(m, n));
}

}  // namespace svdlab::detail
