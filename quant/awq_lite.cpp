#include "quant/smoothing.h"

namespace svdlab {
namespace {

constexpr int kSteps = 10;  // exponents 0, 0.1, ..., 1
constexpr double kSmallest = 1e-4, kLargest = 1e4;

// Mean |x| of each channel over the tokens that calibration kept, summed over the groups.
Tensor mean_magnitude(std::span<const GroupProblem> problems) {
  Tensor sum = problems.front().weights.front().new_zeros({problems.front().channels()}, at::kDouble);
  for (const GroupProblem& p : problems) sum.add_(p.stats->reservoir.abs().mean(0, false, at::kDouble));
  return sum / static_cast<double>(problems.size());
}

// Mean over the rows of every weight of |w| / (largest |w| of the block of columns it shares a scale with).
Tensor relative_magnitude(std::span<const GroupProblem> problems) {
  Tensor sum = problems.front().weights.front().new_zeros({problems.front().channels()}, at::kDouble);
  int64_t rows = 0;
  for (const GroupProblem& p : problems)
    for (const Tensor& w : p.weights) {
      const int64_t blocks = p.scheme.weights->groups_of(w.size(1));
      const Tensor a = w.abs().reshape({w.size(0), blocks, -1});
      const Tensor relative = a / a.amax(2, /*keepdim=*/true).clamp_min(1e-30);
      sum.add_(relative.reshape(w.sizes()).sum(0, false, at::kDouble));
      rows += w.size(0);
    }
  return sum / static_cast<double>(rows);
}

// ModelOpt's awq_lite (SVDQuant's smoothing there): s = act^a / weight^(1 - a) with mean magnitudes, each a
// of 0, 0.1 .. 1 scored through the quantizers alone, without the low-rank branch.
class AwqLite final : public Transform {
 public:
  TransformFit fit(std::span<const GroupProblem> problems, const TransformScore& score) const override {
    const Tensor input = mean_magnitude(problems), weight = relative_magnitude(problems);
    std::vector<OnlineTransform> candidates;
    std::vector<SearchStep> steps;
    for (int i = 0; i <= kSteps; ++i) {
      const double alpha = static_cast<double>(i) / kSteps;
      const Tensor s = input.pow(alpha).div(weight.pow(1 - alpha)).clamp(kSmallest, kLargest);
      const double middle = std::sqrt(s.max().item<double>() * s.min().item<double>());
      candidates.push_back(stored_smoothing(s / middle));
      steps.push_back({.alpha = alpha, .beta = 1 - alpha});
    }
    return best_smoothing(problems, score, Through::kQuantizers, candidates, std::move(steps));
  }
  bool needs_stats() const override { return true; }
  bool needs_score() const override { return true; }
};

}  // namespace

std::unique_ptr<Transform> make_awq_lite(Fields&) { return std::make_unique<AwqLite>(); }

}  // namespace svdlab
