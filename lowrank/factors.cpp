#include "lowrank/factors.h"

#include <algorithm>
#include <limits>

#include "core/base/error.h"

namespace svdlab {
namespace {

constexpr int64_t kPiece = int64_t{1} << 22;  // elements
Tensor through_bf16(const Tensor& t) { return t.to(at::kBFloat16).to(at::kFloat); }

// One pass: `q` [rows, l] fp64 and what has been taken out of it so far, `r`. The small matrices go to the
// CPU, where each step costs less than starting it on a GPU. False: m is too near to singular.
bool cholesky_pass(Tensor& q, Tensor& r) {
  constexpr double kLeastPivot = 1e-7;  // beside the largest
  const auto [lower, info] = at::linalg_cholesky_ex(q.t().matmul(q).cpu());
  const Tensor pivots = lower.diagonal();
  const bool ok =
      info.item<int>() == 0 && pivots.min().item<double>() > kLeastPivot * pivots.max().item<double>();
  if (!ok) return false;
  const Tensor identity = at::eye(lower.size(0), lower.options());
  const Tensor inverse = at::linalg_solve_triangular(lower, identity, /*upper=*/false);
  q = q.matmul(inverse.t().to(q.device()));
  r = r.defined() ? lower.t().matmul(r) : lower.t();
  return true;
}

}  // namespace

void require_rank(const Tensor& m, int64_t rank) {
  SVDLAB_REQUIRE(rank >= 0 && rank <= std::min(m.size(0), m.size(1)), Errc::kConfig, "rank ", rank, " of a ",
                 m.size(0), " x ", m.size(1), " matrix; must be 0 to ", std::min(m.size(0), m.size(1)));
}

LowRankFactors make_factors(const Tensor& up, const Tensor& down) {
  return {.up = up.to(at::kFloat).contiguous(), .down = down.to(at::kFloat).contiguous()};
}

double energy(const Tensor& m) {
  if (m.numel() == 0) return 0;
  const int64_t rows = std::max<int64_t>(1, kPiece / m.size(1));
  double sum = 0;
  for (int64_t r = 0; r < m.size(0); r += rows)
    sum += m.slice(0, r, r + rows).to(at::kDouble).square_().sum().item<double>();
  return sum;
}

double residual_energy(const Tensor& m, const LowRankFactors& factors) {
  if (!factors.up.defined() || factors.down.size(0) == 0 || m.numel() == 0) return energy(m);
  const int64_t rows = std::max<int64_t>(1, kPiece / m.size(1));
  double sum = 0;
  for (int64_t r = 0; r < m.size(0); r += rows)
    sum += energy(at::addmm(m.slice(0, r, r + rows), factors.up.slice(0, r, r + rows), factors.down, 1, -1));
  return sum;
}

std::optional<Orthonormal> cholesky_orthonormal(const Tensor& m) {
  Tensor q = m.to(at::kDouble), r;
  if (m.size(1) == 0 || !cholesky_pass(q, r) || !cholesky_pass(q, r)) return {};
  return Orthonormal{q.to(m.scalar_type()), r};
}

Orthonormal orthonormal_columns(const Tensor& m) {
  if (!m.device().is_cpu())
    if (const auto found = cholesky_orthonormal(m)) return *found;
  const auto [q, r] = at::linalg_qr(m);
  return {q, r};
}

LowRankFactors factors_in_range(const Tensor& m, const Tensor& basis, int64_t rank) {
  const Tensor projected = at::matmul(m.to(basis.scalar_type()).t(), basis);  // [cols, l] = (basis^T m)^T
  // Through QR the rows of `down` stay orthonormal even where singular values vanish; dividing by them would
  // not.
  const auto [right, mix] = orthonormal_columns(projected);
  // A GPU's SVD of so small a matrix takes longer than the way to the CPU and back.
  const auto [u, s, vh] = at::linalg_svd(mix.t().cpu().to(at::kDouble), /*full_matrices=*/false);
  const auto like = basis.options();
  const Tensor up = at::matmul(basis, (u * s).slice(1, 0, rank).to(like));
  const Tensor down = at::matmul(vh.slice(0, 0, rank).to(like), right.t());
  LowRankFactors f = make_factors(up, down);
  f.basis = basis;
  return f;
}

LowRankFactors round_to_bf16(LowRankFactors factors) {
  factors.up = through_bf16(factors.up);
  factors.down = through_bf16(factors.down);
  return factors;
}

double optimal_residual_energy(const Tensor& m, int64_t rank) {
  constexpr int64_t kLargestSide = 1024;
  const int64_t side = std::min(m.size(0), m.size(1));
  if (side > kLargestSide) return std::numeric_limits<double>::quiet_NaN();
  const Tensor wide = m.to(at::kDouble);
  const Tensor values =
      at::linalg_eigvalsh(m.size(0) < m.size(1) ? wide.matmul(wide.t()) : wide.t().matmul(wide));
  return values.slice(0, 0, side - rank).clamp_min(0).sum().item<double>();  // sorted ascending
}

}  // namespace svdlab
