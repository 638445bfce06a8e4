#include <cmath>

#include "experiments/analyze/analysis.h"
#include "experiments/analyze/analysis_table.h"
#include "experiments/analyze/moments.h"
#include "experiments/study/progress.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

/// What one group's input was at one step.
struct InputRange {
  Tensor absmax;  ///< [K]
  double squares = 0;
  int64_t values = 0;

  void add(const InputRange& more) {
    absmax = absmax.defined() ? at::maximum(absmax, more.absmax) : more.absmax;
    squares += more.squares;
    values += more.values;
  }
};

InputRange range_of(const Tensor& input) {
  const Tensor x = input.reshape({-1, input.size(-1)});
  return {column_absmax(x), x.to(at::kDouble).square_().sum().item<double>(), x.numel()};
}

std::map<int, size_t> group_by_node(const Graph& graph) {
  std::map<int, size_t> out;
  for (size_t i = 0; i < graph.groups.size(); ++i)
    out[graph.node_of_linear(graph.groups[i].members.front())] = i;
  return out;
}

/// Group inputs along the 16-bit trajectories of the first items (conditional half): [step][group], over
/// items in their order.
std::vector<std::vector<InputRange>> input_ranges(const CellContext& c) {
  const Graph& graph = c.reference.model().graph;
  const std::map<int, size_t> groups = group_by_node(graph);
  const int64_t items = std::min(kReplayedItems, c.study.protocol.items),
                steps = c.reference.sampler().steps();
  std::vector<std::vector<InputRange>> seen(items * steps, std::vector<InputRange>(graph.groups.size()));
  Progress progress("ranges, forward");
  for_each_item(
      0, items * steps, c.schedule,
      [&](int64_t task) {
        const int64_t item = task / steps, step = task % steps;
        c.reference.executor().run(
            c.reference.sampler().inputs(c.reference.item(item), c.reference.trajectory(item).latents[step],
                                         step),
            [&](int node, const std::vector<Tensor>& inputs, const Tensor&) {
              if (const auto found = groups.find(node); found != groups.end())
                seen[task][found->second] = range_of(inputs[0]);
            });
      },
      [&](int64_t done, int64_t total) { progress.update(done, total); });
  std::vector<std::vector<InputRange>> out(steps, std::vector<InputRange>(graph.groups.size()));
  for (int64_t task = 0; task < items * steps; ++task)
    for (size_t group = 0; group < graph.groups.size(); ++group)
      out[task % steps][group].add(seen[task][group]);
  return out;
}

}  // namespace

std::vector<Table> timestep_ranges(const std::string& name, const CellContext& c) {
  const Graph& graph = c.reference.model().graph;
  const auto ranges = input_ranges(c);
  Table t = analysis_table("/timestep_ranges");
  for (size_t group = 0; group < graph.groups.size(); ++group)
    for (size_t step = 0; step < ranges.size(); ++step) {
      const InputRange& range = ranges[step][group];
      texts(t, "cell").push_back(name);
      texts(t, "group").push_back(graph.groups[group].name);
      integers(t, "step").push_back(static_cast<int64_t>(step));
      numbers(t, "sigma").push_back(c.reference.sigmas()[step]);
      numbers(t, "absmax").push_back(range.absmax.max().item<double>());
      numbers(t, "rms").push_back(std::sqrt(range.squares / static_cast<double>(range.values)));
      numbers(t, "max_over_median").push_back(max_over_median(range.absmax));
    }
  return {t};
}

}  // namespace svdlab
