#include "quant/kronecker.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

#include "core/base/error.h"

namespace svdlab {
namespace {

Tensor as_bf16(const Tensor& t) { return t.to(at::kBFloat16).to(at::kFloat).contiguous(); }

}  // namespace

Tensor kronecker_rearranged(const Tensor& m, const KroneckerShape& s) {
  SVDLAB_REQUIRE(
      s.left_rows > 0 && s.left_cols > 0 && m.size(0) % s.left_rows == 0 && m.size(1) % s.left_cols == 0,
      Errc::kConfig, "Kronecker factor [", s.left_rows, ", ", s.left_cols, "] does not divide a matrix ",
      m.sizes());
  const int64_t rows = m.size(0) / s.left_rows, cols = m.size(1) / s.left_cols;
  return m.reshape({s.left_rows, rows, s.left_cols, cols})
      .permute({0, 2, 1, 3})
      .reshape({s.left_rows * s.left_cols, rows * cols});
}

KroneckerShape smallest_kronecker_shape(int64_t rows, int64_t cols) {
  KroneckerShape best;
  std::pair<int64_t, int64_t> least{std::numeric_limits<int64_t>::max(), 0};
  for (int64_t r = rows; r > 0; --r) {
    if (rows % r != 0) continue;
    for (int64_t c = 1; c <= cols; ++c) {
      if (cols % c != 0) continue;
      const std::pair cost{r * c + (rows / r) * (cols / c), std::abs(r - rows / r)};
      if (cost < least) least = cost, best = {r, c};
    }
  }
  return best;
}

KroneckerSvd kronecker_svd(const Tensor& m, const KroneckerShape& shape, int64_t terms) {
  const Tensor r = kronecker_rearranged(m, shape).to(at::kDouble);
  const bool flat = r.size(0) < r.size(1);
  const int64_t most = std::min(r.size(0), r.size(1));
  SVDLAB_REQUIRE(terms > 0 && terms <= most, Errc::kConfig, terms, " Kronecker terms of a matrix ", m.sizes(),
                 " in blocks; use 1 to ", most);
  const auto [squares, vectors] = at::linalg_eigh(flat ? r.matmul(r.t()) : r.t().matmul(r));
  const Tensor top = vectors.flip(1).slice(1, 0, terms);  // eigh sorts ascending
  // Singular values go with the side that was not decomposed.
  const Tensor left = flat ? top : r.matmul(top), right = flat ? r.t().matmul(top) : top;
  const auto factors = [terms](const Tensor& columns, int64_t rows, int64_t cols) {
    return columns.t().reshape({terms, rows, cols}).to(at::kFloat).contiguous();
  };
  return {squares.flip(0).clamp_min(0).sqrt(), factors(left, shape.left_rows, shape.left_cols),
          factors(right, m.size(0) / shape.left_rows, m.size(1) / shape.left_cols)};
}

KroneckerBranch KroneckerSvd::branch(int64_t terms) const {
  return {as_bf16(left.slice(0, 0, terms)), as_bf16(right.slice(0, 0, terms))};
}

}  // namespace svdlab
