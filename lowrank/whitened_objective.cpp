#include "core/base/error.h"
#include "lowrank/objective.h"
#include "lowrank/weighted.h"

namespace svdlab {
namespace {

// ||(M - L) G^(1/2)||_F = ||X (M - L)^T||_F for the Gram matrix G = X^T X: the layer's output error. EoRA
// (arXiv 2410.21271) fits the quantization error so, LoRD (arXiv 2309.14021) a weight. Any root of G will do;
// Cholesky's is the cheapest. In a driver that decomposes first it leaves the low-bit part the least output,
// not the flattest weights: where inputs are correlated, rounding can then cost more than under the plain
// norm.
class WhitenedObjective final : public LowRankObjective {
 public:
  explicit WhitenedObjective(double damping) : damping_(damping) {}
  bool needs_gram() const override { return true; }
  NormWeights weights(const ObjectiveFacts& facts) const override {
    return {.cols = gram_root(facts.gram, damping_)};
  }

 private:
  double damping_;
};

}  // namespace

std::unique_ptr<LowRankObjective> make_whitened_objective(Fields& options) {
  const double damping = options.number("damping", 1e-6);
  SVDLAB_REQUIRE(damping >= 1e-10 && damping <= 1, Errc::kConfig, options.where(), ": `",
                 options.path_of("damping"), "` must be 1e-10 to 1 of a channel's energy, not ", damping);
  return std::make_unique<WhitenedObjective>(damping);
}

}  // namespace svdlab
