#include "tests/support/node_comparison.h"

#include "tests/support/support.h"

namespace svdlab::testing {

std::vector<Tensor> reference_values(const Graph& graph, const CompressedModel& model,
                                     const NamedTensors& inputs) {
  std::vector<Tensor> values(graph.nodes.size());
  Executor(graph, {.compressed = &model}).run(inputs, [&](int node, const auto&, const Tensor& output) {
    values[node] = output;
  });
  return values;
}

WorstNode compare_nodes(const Graph& graph, const FusedExecutor& fused, const std::vector<Tensor>& values) {
  WorstNode worst;
  for (size_t i = 0; i < fused.plan().nodes.size(); ++i) {
    const double gate = least_sqnr_db(fused.plan().nodes[i]);
    for (const FusedExecutor::Border& b : fused.run_fused(i, values)) {
      const Tensor expected = b.value.sizes() == values[b.node].sizes()
                                  ? values[b.node]
                                  : values[b.node].slice(1, b.first_token, b.first_token + b.value.size(1));
      const double db = -20 * std::log10(relative_difference(b.value.to(at::kCPU, at::kFloat), expected));
      EXPECT_TRUE(db >= gate) << graph.nodes[b.node].id << ": " << db << " dB, gate " << gate;
      if (!(db - gate >= worst.margin)) worst = {graph.nodes[b.node].id, db - gate, db};
    }
  }
  return worst;
}

}  // namespace svdlab::testing
