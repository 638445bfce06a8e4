#include "lowrank/objective.h"

namespace svdlab {
namespace {

// ||(M - L) diag(E[x^2])^(1/2)||_F: the output error if channels were uncorrelated. The input side of what
// ASVD (arXiv 2312.05821) weighs; the sum over tokens serves as the mean, since a common factor moves no
// minimum.
class DiagonalObjective final : public LowRankObjective {
 public:
  bool needs_gram() const override { return true; }
  NormWeights weights(const ObjectiveFacts& facts) const override {
    return {.cols = facts.gram.diagonal().clamp_min(0).sqrt()};
  }
};

}  // namespace

std::unique_ptr<LowRankObjective> make_diagonal_objective(Fields&) {
  return std::make_unique<DiagonalObjective>();
}

}  // namespace svdlab
