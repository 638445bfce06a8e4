#include "lowrank/output_scorer.h"

#include "core/runtime/fake_quantize.h"

namespace svdlab {

OutputScorer::OutputScorer(const GroupProblem& problem, int64_t tokens) : problem_(&problem) {
  tokens_ = problem.stats->reservoir.slice(0, 0, tokens).contiguous();
  for (const std::vector<int>& branch : problem.branches) {
    std::vector<Tensor> weights;
    for (const int member : branch) weights.push_back(problem.weights[member]);
    outputs_.push_back(at::matmul(tokens_, at::cat(weights).t()));
  }
}

OutputScorer::Input OutputScorer::input(const Tensor& smooth) const {
  Input in;
  in.smoothed = smooth.defined() ? tokens_ / smooth : tokens_;
  const auto& activations = problem_->scheme.activations;
  in.quantized = activations ? fake_quantize(tokens_, smooth, *activations, problem_->segments) : in.smoothed;
  return in;
}

double OutputScorer::error(size_t branch, const Input& input, const Tensor& low_bit,
                           const LowRankFactors& factors) const {
  Tensor difference = at::addmm(outputs_[branch], input.quantized, low_bit.t(), 1, -1);
  if (factors.up.defined())
    difference.addmm_(at::matmul(input.smoothed, factors.down.t()), factors.up.t(), 1, -1);
  return difference.square_().sum(1).sum(at::kDouble).item<double>();
}

}  // namespace svdlab
