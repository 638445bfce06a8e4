#include "core/base/error.h"
#include "lowrank/objective.h"

namespace svdlab {
namespace {

// The square roots of mean squared gradients, not below `floor` of their root mean: a row that no sample of
// calibration moved must neither vanish from the norm nor make it singular.
Tensor root(const Tensor& fisher, double floor) {
  const double mean = fisher.mean().item<double>();
  if (!(mean > 0)) return {};
  return fisher.clamp_min(mean * floor * floor).sqrt();
}

// ||A (M - L) B||_F with A the root of a row's mean squared gradient, and B that of a column's: weighs each
// element's squared error by rows(i) cols(j), the rank-one picture of the Fisher information E[g^2].
// FWSVD (arXiv 2207.00112) weighs rows alone, LQ-LoRA (arXiv 2311.12023) both.
class FisherObjective final : public LowRankObjective {
 public:
  FisherObjective(bool columns, double floor) : columns_(columns), floor_(floor) {}
  bool needs_gram() const override { return false; }
  bool needs_fisher() const override { return true; }
  NormWeights weights(const ObjectiveFacts& facts) const override {
    return {.rows = root(facts.fisher_rows, floor_),
            .cols = columns_ ? root(facts.fisher_cols, floor_) : Tensor()};
  }

 private:
  bool columns_;
  double floor_;
};

std::unique_ptr<LowRankObjective> make(Fields& options, bool columns) {
  const double floor = options.number("floor", 1e-3);
  SVDLAB_REQUIRE(floor >= 1e-8 && floor <= 1, Errc::kConfig, options.where(), ": `", options.path_of("floor"),
                 "` must be 1e-8 to 1 of the root mean, not ", floor);
  return std::make_unique<FisherObjective>(columns, floor);
}

}  // namespace

std::unique_ptr<LowRankObjective> make_fisher_objective(Fields& options) { return make(options, true); }

std::unique_ptr<LowRankObjective> make_fisher_rows_objective(Fields& options) { return make(options, false); }

}  // namespace svdlab
