#include <algorithm>

#include "quant/extra_branch.h"
#include "quant/kronecker.h"
#include "quant/rank_selector.h"

namespace svdlab {
namespace {

// The nearest sum of Kronecker products of every member's weight, in 16 bit: SoKA's decomposition (arXiv
// 2506.15251) as a branch, in the shape that stores least. With `energy` below 1 each weight gets no more
// terms than select_rank() finds worth keeping.
class KroneckerBranches final : public ExtraBranch {
 public:
  KroneckerBranches(int64_t terms, double energy) : terms_(terms), energy_(energy) {}

  TakenOut take(const GroupProblem& problem, const WeightQuantizer&) const override {
    TakenOut out;
    for (const Tensor& w : problem.weights) {
      KroneckerBranch branch = branch_of(w);
      Tensor rest = w.clone();
      for (int64_t k = 0; k < branch.left.size(0); ++k) rest.sub_(at::kron(branch.left[k], branch.right[k]));
      out.rest.push_back(rest);
      out.branches.emplace_back(std::move(branch));
    }
    return out;
  }
  bool needs_stats() const override { return false; }

 private:
  KroneckerBranch branch_of(const Tensor& w) const {
    const KroneckerShape shape = smallest_kronecker_shape(w.size(0), w.size(1));
    const KroneckerSvd svd = kronecker_svd(w, shape, terms_);
    // A zero matrix has no energy, but a branch has a term.
    const int64_t worth = energy_ < 1 ? std::max<int64_t>(1, select_rank(svd.values, energy_)) : terms_;
    return svd.branch(std::min(terms_, worth));
  }

  int64_t terms_;
  double energy_;
};

}  // namespace

std::unique_ptr<ExtraBranch> make_kronecker_branch(Fields& options) {
  const int64_t terms = options.integer("terms", 8);
  const double energy = options.number("energy", 1);
  SVDLAB_REQUIRE(terms > 0, Errc::kConfig, options.where(), ": `", options.path_of("terms"),
                 "` must be positive, not ", terms);
  SVDLAB_REQUIRE(energy > 0 && energy <= 1, Errc::kConfig, options.where(), ": `", options.path_of("energy"),
                 "` must be in (0, 1], not ", energy);
  return std::make_unique<KroneckerBranches>(terms, energy);
}

}  // namespace svdlab
