#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "kernels/gemm_codes.h"
#include "kernels/gemm_weight_only.h"
#include "kernels/up_projection.h"

namespace svdlab::detail {
namespace {

std::vector<float> divided(const GemmWeightOnly& op) {
  std::vector<float> out;
  out.reserve(op.x.rows() * op.x.cols());
  for (int64_t c = 0; op.divide_by && c < op.x.cols(); ++c)
    SVDLAB_REQUIRE(op.divide_by[c] > 0 && std::isfinite(op.divide_by[c]), Errc::kInput,
                   "gemm_weight_only: divide_by[", c, "] = ", op.divide_by[c],
                   "; smoothing factors must be finite and > 0");
  for (int64_t r = 0; r < op.x.rows(); ++r)
    for (int64_t c = 0; c < op.x.cols(); ++c) {
      const float x = half_decode(op.x.type, op.x.bits(r, c));
      out.push_back(op.divide_by ? x / op.divide_by[c] : x);
    }
  return out;
}

}  // namespace

void gemm_weight_only_cpu(const GemmWeightOnly& op) {
  const int64_t m = op.x.rows(), n = op.w.rows, k = op.x.cols();
  const std::vector<float> x = divided(op);
  std::vector<float> values(m * n);
  const MatrixView<float> y(values.data(), m, n);
  gemm_codes(MatrixView<const float>(x.data(), m, k), unpack_matrix(op.w).columns(0, k), y);
  add_up_and_bias_cpu(op.low_rank, op.up, op.bias, y);
  store_half_cpu(y, op.out);
}

}  // namespace svdlab::detail
