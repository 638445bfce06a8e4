#include <algorithm>

#include "eval/matrix_nuclear_norm.h"
#include "experiments/analyze/analysis.h"
#include "experiments/analyze/analysis_table.h"
#include "experiments/study/progress.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

/// Nodes whose outputs are the residual stream: what a block hands on.
std::vector<int> hidden_nodes(const Graph& graph) {
  std::vector<int> out;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (graph.nodes[i].op == Op::kGatedAdd) out.push_back(static_cast<int>(i));
  return out;
}

/// The norm of every hidden state of one run of the model, in the order of `nodes`.
std::vector<double> norms_of_run(const Executor& executor, const NamedTensors& inputs,
                                 const std::vector<int>& nodes) {
  std::vector<double> out;
  executor.run(inputs, [&](int node, const std::vector<Tensor>&, const Tensor& output) {
    if (std::binary_search(nodes.begin(), nodes.end(), node))
      out.push_back(matrix_nuclear_norm(output.reshape({-1, output.size(-1)})));
  });
  return out;
}

}  // namespace

std::vector<Table> hidden_states(const Cell& cell, const CellContext& c, const AnalysisOptions&) {
  const Graph& graph = c.reference.model().graph;
  const std::vector<int> nodes = hidden_nodes(graph);
  const Compression compression = compress_cell(cell, c);
  const Executor quantized(graph, {.compressed = &compression.model});
  const int64_t items = c.study.protocol.items, steps = c.reference.sampler().steps();
  c.reference.ensure(items, c.schedule);
  std::vector<std::vector<double>> expected(items * steps), actual(items * steps);
  Progress progress("  hidden states, forward");
  for_each_item(
      0, items * steps, c.schedule,
      [&](int64_t task) {
        const int64_t item = task / steps, step = task % steps;
        const NamedTensors inputs = c.reference.sampler().inputs(
            c.reference.item(item), c.reference.trajectory(item).latents[step], step);
        expected[task] = norms_of_run(c.reference.executor(), inputs, nodes);
        actual[task] = norms_of_run(quantized, inputs, nodes);
      },
      [&](int64_t done, int64_t total) { progress.update(done, total); });
  Table t = analysis_table("/hidden_states");
  for (size_t n = 0; n < nodes.size(); ++n)
    for (int64_t step = 0; step < steps; ++step) {
      double sum16 = 0, sum = 0;
      for (int64_t item = 0; item < items; ++item) {
        sum16 += expected[item * steps + step][n];
        sum += actual[item * steps + step][n];
      }
      texts(t, "cell").push_back(cell.name);
      texts(t, "state").push_back(graph.nodes[nodes[n]].id);
      integers(t, "step").push_back(step);
      numbers(t, "sigma").push_back(c.reference.sigmas()[step]);
      numbers(t, "nuclear_norm_16_bit").push_back(sum16 / static_cast<double>(items));
      numbers(t, "nuclear_norm").push_back(sum / static_cast<double>(items));
    }
  return {t};
}

}  // namespace svdlab
