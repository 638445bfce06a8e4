#include "quant/smoothing.h"

#include <cmath>

namespace svdlab {

Tensor stored_smoothing(const Tensor& raw) {
  const Tensor s = raw.to(at::kFloat).to(at::kBFloat16).to(at::kFloat);
  return at::where(s.isfinite().logical_and(s > 0), s, at::ones_like(s));
}

TransformFit best_smoothing(std::span<const GroupProblem> problems, const TransformScore& score,
                            Through through, const std::vector<OnlineTransform>& candidates,
                            std::vector<SearchStep> steps) {
  const std::vector<double> errors = score(candidates, through);
  size_t best = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    steps[i].error = errors[i];
    if (errors[i] < errors[best] || (!std::isfinite(errors[best]) && std::isfinite(errors[i]))) best = i;
  }
  SVDLAB_REQUIRE(std::isfinite(errors[best]), Errc::kInput, "smooth: no candidate for group ",
                 problems.front().name,
                 " has a finite output error; check its weights and calibration inputs");
  steps[best].chosen = true;
  return {candidates[best], std::move(steps)};
}

bool is_shifted(const GroupProblem& p, const Segment& s) {
  return s.producer == Producer::kGelu && p.scheme.activations && p.scheme.activations->shift_after_gelu;
}

}  // namespace svdlab
