#include "lowrank/objective.h"

namespace svdlab {
namespace {

// ||M - L||_F: every weight counts the same (SVDQuant, arXiv 2411.05007; LoRC, arXiv 2303.08302).
class PlainObjective final : public LowRankObjective {
 public:
  bool needs_gram() const override { return false; }
  NormWeights weights(const ObjectiveFacts&) const override { return {}; }
};

}  // namespace

std::unique_ptr<LowRankObjective> make_plain_objective(Fields&) { return std::make_unique<PlainObjective>(); }

}  // namespace svdlab
