#include "experiments/analyze/principal.h"

namespace svdlab {
namespace {

bool is_wide(const Tensor& m) { return m.size(0) <= m.size(1); }

Tensor small_gram(const Tensor& m) { return is_wide(m) ? m.matmul(m.t()) : m.t().matmul(m); }

}  // namespace

std::vector<double> captured_energy(const Tensor& m, const std::vector<int64_t>& ranks) {
  const Tensor ascending = at::linalg_eigvalsh(small_gram(m)).clamp_min(0);
  const double total = ascending.sum().item<double>();
  std::vector<double> out;
  for (const int64_t rank : ranks)
    out.push_back(ascending.slice(0, ascending.size(0) - rank).sum().item<double>() / total);
  return out;
}

Principal::Principal(const Tensor& m) : m_(m), left_(is_wide(m)) {
  basis_ = std::get<1>(at::linalg_eigh(small_gram(m))).flip({1});
}

Tensor Principal::residual(int64_t rank) const {
  if (rank == 0) return m_;
  const Tensor leading = basis_.slice(1, 0, rank);
  return left_ ? m_ - leading.matmul(leading.t().matmul(m_)) : m_ - m_.matmul(leading).matmul(leading.t());
}

}  // namespace svdlab
