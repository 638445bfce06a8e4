#include "core/base/error.h"
#include "quant/weight_importance.h"

namespace svdlab {
namespace {

// GWQ (arXiv 2411.00850): the size of the loss's gradient, here its root mean square over the calibration
// samples; the paper takes one sample.
class GradientImportance final : public WeightImportance {
 public:
  std::vector<Tensor> of(const GroupProblem& problem, const WeightQuantizer&) const override {
    std::vector<Tensor> out;
    for (size_t i = 0; i < problem.weights.size(); ++i) {
      const WeightFisher* fisher = problem.fisher(i);
      SVDLAB_REQUIRE(fisher && fisher->full.defined(), Errc::kUnexpected, "no gradients of ",
                     problem.linear_names[i]);
      out.push_back(fisher->full_mean().sqrt());
    }
    return out;
  }
  bool needs_stats() const override { return true; }
  FisherDetail needs_gradients() const override { return FisherDetail::kFull; }
};

}  // namespace

std::unique_ptr<WeightImportance> make_gradient_importance(Fields&) {
  return std::make_unique<GradientImportance>();
}

}  // namespace svdlab
