#include "lowrank/factors.h"

namespace svdlab {
namespace {

// Eigenvectors of the smaller Gram matrix, always in float64: squaring halves the digits, and a float32 eigh
// returns noise below 3e-4 of the largest singular value.
class GramSolver final : public LowRankSolver {
 public:
  LowRankFactors solve(const Tensor& m, int64_t rank, const Tensor&) const override {
    require_rank(m, rank);
    const Tensor wide = m.to(at::kDouble);
    const bool flat = m.size(0) < m.size(1);
    const auto [values, vectors] = at::linalg_eigh(flat ? wide.matmul(wide.t()) : wide.t().matmul(wide));
    const Tensor top = vectors.flip(1).slice(1, 0, rank);  // eigh sorts ascending
    if (flat) return factors_in_range(m, top.contiguous(), rank);
    return make_factors(wide.matmul(top), top.t());
  }
};

}  // namespace

std::unique_ptr<LowRankSolver> make_gram_solver(Fields&) { return std::make_unique<GramSolver>(); }

}  // namespace svdlab
