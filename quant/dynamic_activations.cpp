#include "quant/activation_quantizer.h"

namespace svdlab {
namespace {

class DynamicActivations final : public ActivationQuantizer {
 public:
  ActivationFit fit(const GroupProblem& problem, const OnlineTransform& online) const override {
    ActivationFit out{*problem.scheme.activations};
    // What follows the division leaves nothing of GELU's lower bound.
    if (!online.then.empty()) out.scheme.shift_after_gelu = false;
    return out;
  }
  bool needs_stats() const override { return false; }
};

}  // namespace

std::unique_ptr<ActivationQuantizer> make_dynamic_activations(Fields&) {
  return std::make_unique<DynamicActivations>();
}

}  // namespace svdlab
