#include "quant/weight_importance.h"

namespace svdlab {
namespace {

class MagnitudeImportance final : public WeightImportance {
 public:
  std::vector<Tensor> of(const GroupProblem& problem, const WeightQuantizer&) const override {
    std::vector<Tensor> out;
    for (const Tensor& w : problem.weights) out.push_back(w.abs());
    return out;
  }
};

}  // namespace

std::unique_ptr<WeightImportance> make_magnitude_importance(Fields&) {
  return std::make_unique<MagnitudeImportance>();
}

}  // namespace svdlab
