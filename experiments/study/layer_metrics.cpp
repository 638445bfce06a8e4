#include "experiments/study/layer_metrics.h"

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/runtime/compressed_linear.h"
#include "core/runtime/precision.h"
#include "experiments/study/progress.h"

namespace svdlab {
namespace {}  // namespace

void add(PairSums& sums, const PairSums& more) {
  sums.reference += more.reference;
  sums.candidate += more.candidate;
  sums.product += more.product;
  sums.difference += more.difference;
}

double relative_error_of(const PairSums& s) {
  return s.difference == 0 ? 0 : std::sqrt(s.difference / s.reference);
}

double sqnr_db_of(const PairSums& s) {
  if (s.difference == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(s.reference / s.difference);
}

double cosine_of(const PairSums& s) { return s.product / std::sqrt(s.reference * s.candidate); }

PairSums LayerError::total() const {
  PairSums sums;
  for (const PairSums& step : steps) add(sums, step);
  return sums;
}

std::vector<LayerError> layer_errors(const Reference& reference, const CompressedModel& compressed,
                                     int64_t items, const Schedule& schedule) {
  const Graph& graph = reference.model().graph;
  std::vector<LayerError> out;
  std::map<int, size_t> by_node;
  std::vector<PreparedLinear> prepared;
  for (size_t i = 0; i < graph.linears.size(); ++i) {
    const auto found = compressed.linears.find(graph.linears[i].name);
    if (found == compressed.linears.end()) continue;
    by_node[graph.node_of_linear(static_cast<int>(i))] = out.size();
    prepared.emplace_back(found->second, Execution::kDequantized);
    out.push_back({graph.linears[i].name, {}});
  }
  const int64_t steps = reference.sampler().steps();
  std::vector<std::vector<PairSums>> sums(items * steps, std::vector<PairSums>(out.size()));
  Progress progress("  layers, forward");
  for_each_item(
      0, items * steps, schedule,
      [&](int64_t task) {
        const int64_t item = task / steps, step = task % steps;
        const auto observe = [&](int node, const std::vector<Tensor>& inputs, const Tensor& output) {
          const auto found = by_node.find(node);
          if (found == by_node.end()) return;
          const Tensor y = prepared[found->second].run(inputs[0].reshape({-1, inputs[0].size(-1)}),
                                                       reference.sampler().sigmas()[step]);
          sums[task][found->second] = pair_sums(output.reshape(y.sizes()), round_to(y, Precision::kBf16));
        };
        reference.executor().run(
            reference.sampler().inputs(reference.item(item), reference.trajectory(item).latents[step], step),
            observe);
      },
      [&](int64_t done, int64_t total) { progress.update(done, total); });
  for (size_t layer = 0; layer < out.size(); ++layer) {
    out[layer].steps.resize(steps);
    for (int64_t task = 0; task < items * steps; ++task)
      add(out[layer].steps[task % steps], sums[task][layer]);
  }
  return out;
}

}  // namespace svdlab
