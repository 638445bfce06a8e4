#include "lowrank/kronecker.h"

#include "core/base/error.h"

namespace svdlab {

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
  KroneckerShape best{1, 1};
  int64_t least = 1 + rows * cols;
  for (int64_t r = rows; r > 0; --r) {
    if (rows % r != 0) continue;
    for (int64_t c = 1; c <= cols; ++c) {
      if (cols % c != 0) continue;
      const int64_t numbers = r * c + (rows / r) * (cols / c);
      if (numbers < least) least = numbers, best = {r, c};
    }
  }
  return best;
}

KroneckerFactors kronecker_svd(const Tensor& m, const KroneckerShape& shape, int64_t rank,
                               const LowRankSolver& solver) {
  const LowRankFactors f = solver.solve(kronecker_rearranged(m, shape).contiguous(), rank);
  return {f.up.t().reshape({rank, shape.left_rows, shape.left_cols}).contiguous(),
          f.down.reshape({rank, m.size(0) / shape.left_rows, m.size(1) / shape.left_cols}).contiguous()};
}

Tensor kron_apply(const Tensor& x, const KroneckerFactors& f) {
  const int64_t rows = f.left.size(1) * f.right.size(1), cols = f.left.size(2) * f.right.size(2);
  SVDLAB_REQUIRE(x.dim() == 2 && x.size(1) == cols, Errc::kInput, "a Kronecker branch of ", cols,
                 " columns cannot take an input ", x.sizes());
  // Token by token y = U x V^T with x as a matrix [left_cols, right_cols].
  const Tensor blocks = x.reshape({x.size(0), f.left.size(2), f.right.size(2)});
  Tensor y = at::zeros({x.size(0), f.left.size(1), f.right.size(1)}, x.options());
  for (int64_t k = 0; k < f.rank(); ++k) y.add_(at::matmul(f.left[k], at::matmul(blocks, f.right[k].t())));
  return y.reshape({x.size(0), rows});
}

Tensor kron_dense(const KroneckerFactors& f) {
  Tensor sum =
      at::zeros({f.left.size(1) * f.right.size(1), f.left.size(2) * f.right.size(2)}, f.left.options());
  for (int64_t k = 0; k < f.rank(); ++k) sum.add_(at::kron(f.left[k], f.right[k]));
  return sum;
}

}  // namespace svdlab
