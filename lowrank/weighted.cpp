#include "lowrank/weighted.h"

#include <cmath>

#include "core/base/error.h"
#include "lowrank/factors.h"

namespace svdlab {
namespace {

Tensor checked_weight(const Tensor& w, const char* side) {
  if (!w.defined()) return w;
  SVDLAB_REQUIRE(w.dim() == 1 || (w.dim() == 2 && w.size(0) == w.size(1)), Errc::kUnexpected, side,
                 " weight: a diagonal [n] or a matrix [n, n], not ", w.dim(), " dimensions of ", w.numel(),
                 " values");
  SVDLAB_REQUIRE(w.isfinite().all().item<bool>(), Errc::kInput, side,
                 " weight has a NaN or infinity; check the calibration inputs");
  return w.to(at::kDouble);
}

// ||A E|| = ||R E|| for A = Q R, and R is undone by substitution.
Tensor triangular(const Tensor& a) {
  if (!a.defined() || a.size(0) == 0) return a;
  const Tensor r = a.dim() == 1 ? a : std::get<1>(at::linalg_qr(a, "r"));
  const Tensor pivots = (a.dim() == 1 ? r : r.diagonal()).abs();
  const double least = pivots.min().item<double>(), largest = pivots.max().item<double>();
  const double bound = a.dim() == 1 ? 0 : 1e-14 * static_cast<double>(a.size(0)) * largest;
  SVDLAB_REQUIRE(least > bound, Errc::kInput, "row weight of ", a.size(0), " rows is singular: pivots ",
                 least, " to ", largest, "; add damping");
  return r;
}

Tensor times_left(const Tensor& a, const Tensor& m) {
  if (!a.defined()) return m;
  return a.dim() == 1 ? a.unsqueeze(1) * m : a.matmul(m);
}

Tensor times_right(const Tensor& m, const Tensor& b) {
  if (!b.defined()) return m;
  return b.dim() == 1 ? m * b : m.matmul(b);
}

Tensor solve_left(const Tensor& a, const Tensor& m) {
  if (!a.defined()) return m;
  return a.dim() == 1 ? m / a.unsqueeze(1) : at::linalg_solve_triangular(a, m, /*upper=*/true);
}

// A weight of any magnitude stays inside fp32; a power of two changes no digit.
Tensor scaled_to_fp32(const Tensor& x) {
  const double largest = x.numel() == 0 ? 0 : x.abs().max().item<double>();
  SVDLAB_REQUIRE(std::isfinite(largest), Errc::kInput, "a weighted matrix of ", x.size(0), " x ", x.size(1),
                 " is not finite; check the weights and the calibration inputs");
  return (largest == 0 ? x : x * std::exp2(-std::ilogb(largest))).to(at::kFloat);
}

// up down with the singular values in `up` and orthonormal rows in `down`.
LowRankFactors canonical(const Tensor& up, const Tensor& down) {
  const auto [right, mix] = at::linalg_qr(down.t());
  const auto [u, s, vh] = at::linalg_svd(up.matmul(mix.t()), /*full_matrices=*/false);
  return make_factors(u * s, vh.matmul(right.t()));
}

}  // namespace

WeightedSolver::WeightedSolver(const LowRankSolver& inner, const NormWeights& weights)
    : inner_(inner),
      rows_(triangular(checked_weight(weights.rows, "row"))),
      cols_(checked_weight(weights.cols, "column")) {}

LowRankFactors WeightedSolver::solve(const Tensor& m, int64_t rank, const Tensor& start) const {
  require_rank(m, rank);
  if (rank == 0 || (!rows_.defined() && !cols_.defined())) return inner_.solve(m, rank, start);
  SVDLAB_REQUIRE(
      (!rows_.defined() || rows_.size(0) == m.size(0)) && (!cols_.defined() || cols_.size(0) == m.size(1)),
      Errc::kUnexpected, "a norm's weights do not fit a ", m.size(0), " x ", m.size(1), " matrix");
  const Tensor left = times_left(rows_, m.to(at::kDouble));
  const LowRankFactors plain = inner_.solve(scaled_to_fp32(times_right(left, cols_)), rank, start);
  const Tensor basis = std::get<0>(at::linalg_qr(plain.up.to(at::kDouble)));
  LowRankFactors out = canonical(solve_left(rows_, basis), basis.t().matmul(left));
  out.basis = plain.basis;
  return out;
}

double WeightedSolver::residual(const Tensor& m, const LowRankFactors& factors) const {
  if (!rows_.defined() && !cols_.defined()) return inner_.residual(m, factors);
  Tensor rest = m.to(at::kDouble);
  if (factors.up.defined()) rest = rest - factors.up.to(at::kDouble).matmul(factors.down.to(at::kDouble));
  return energy(times_right(times_left(rows_, rest), cols_));
}

Tensor gram_root(const Tensor& gram, double damping) {
  const Tensor g = gram.to(at::kDouble);
  const Tensor scale = g.diagonal().clamp_min(0).sqrt();
  // Through the correlations: with unit diagonals outlier channels take no digits from the others.
  const Tensor inverse = at::where(scale > 0, scale.reciprocal(), at::zeros_like(scale));
  Tensor correlation = g * inverse.unsqueeze(0) * inverse.unsqueeze(1);
  correlation.diagonal().fill_(1 + damping);
  const auto [lower, info] = at::linalg_cholesky_ex(correlation);
  SVDLAB_REQUIRE(info.item<int>() == 0 && lower.isfinite().all().item<bool>(), Errc::kInput,
                 "the Gram matrix of ", g.size(0), " channels is not positive definite with damping ",
                 damping, "; raise the damping or check the calibration inputs");
  return lower * scale.unsqueeze(1);
}

}  // namespace svdlab
