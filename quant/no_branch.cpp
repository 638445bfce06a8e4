#include "quant/extra_branch.h"

namespace svdlab {
namespace {

class NoBranch final : public ExtraBranch {
 public:
  TakenOut take(const GroupProblem& problem, const WeightQuantizer&) const override {
    return {.branches = {}, .rest = problem.weights};
  }
  bool needs_stats() const override { return false; }
};

}  // namespace

std::unique_ptr<ExtraBranch> make_no_branch(Fields&) { return std::make_unique<NoBranch>(); }

}  // namespace svdlab
