#include "experiments/analyze/branch_weights.h"

namespace svdlab {
namespace {

constexpr int64_t kLargestRank = 128;

Tensor quantized_weight(const CompressedLinear& linear) {
  Tensor sum = at::zeros({linear.out_features(), linear.in_features()}, at::kDouble);
  if (const LowBitBranch* low_bit = linear.low_bit()) sum += dequantize(low_bit->weight).to(at::kDouble);
  if (const LowRankBranch* low_rank = linear.low_rank())
    sum += low_rank->up.to(at::kDouble).matmul(low_rank->down.to(at::kDouble));
  return sum;
}

}  // namespace

std::vector<BranchLinears> compressed_branches(const Graph& graph, const CompressedModel& model) {
  std::vector<BranchLinears> out;
  for (const LayerGroup& group : graph.groups)
    for (const std::vector<int>& branch : group.branches) {
      BranchLinears found{.group = &group};
      for (const int linear : branch) {
        const LinearSpec& spec = graph.linears[linear];
        if (!model.linears.count(spec.name)) continue;
        found.linears.push_back(linear);
        found.roles += (found.roles.empty() ? "" : "+") + to_string(spec.role);
      }
      if (found.linears.empty()) continue;
      found.name = graph.linears[found.linears.front()].name;
      out.push_back(std::move(found));
    }
  return out;
}

BranchWeights branch_weights(const Graph& graph, const CompressedModel& model, const BranchLinears& branch) {
  std::vector<Tensor> weights, quantized;
  for (const int linear : branch.linears) {
    weights.push_back(graph.linears[linear].weight.to(at::kDouble));
    quantized.push_back(quantized_weight(model.linears.at(graph.linears[linear].name)));
  }
  const Tensor smooth = model.linears.at(branch.name).smooth;
  BranchWeights out{.weight = at::cat(weights, 0), .quantized = at::cat(quantized, 0)};
  out.smooth = smooth.defined() ? smooth.to(at::kDouble) : at::ones({out.weight.size(1)}, at::kDouble);
  out.smoothed = out.weight * out.smooth;
  return out;
}

std::vector<int64_t> ranks_of(const Tensor& m, bool with_zero) {
  std::vector<int64_t> ranks;
  if (with_zero) ranks.push_back(0);
  for (int64_t rank = 1; rank <= std::min({m.size(0), m.size(1), kLargestRank}); rank *= 2)
    ranks.push_back(rank);
  return ranks;
}

}  // namespace svdlab
