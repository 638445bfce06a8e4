#include "experiments/bench/step_time.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/runtime/gpu_run.h"

namespace svdlab {

StepTimes summary_of(std::vector<double> ms) {
  SVDLAB_REQUIRE(!ms.empty(), Errc::kUnexpected, "no times");
  std::sort(ms.begin(), ms.end());
  const size_t n = ms.size();
  return {ms[n / 2], ms[n / 10], ms[n * 9 / 10], static_cast<int>(n)};
}

StepTimes time_step(const std::function<void()>& step, int warm_up, int runs) {
  for (int i = 0; i < warm_up; ++i) step();
  gpu_wait();
  std::vector<double> ms;
  for (int i = 0; i < runs; ++i) {
    const GpuMark begin;
    step();
    const GpuMark end;
    ms.push_back(end.ms_since(begin));
  }
  return summary_of(ms);
}

std::string node_kind(const Graph& graph, const Node& node) {
  if (node.op != Op::kLinear) return to_string(node.op);
  return "linear " + to_string(graph.linears[node.linear].role);
}

std::map<std::string, double> step_breakdown(const Graph& graph,
                                             const std::function<void(const GraphRunner::Observer&)>& run) {
  std::vector<int> nodes;
  std::vector<GpuMark> marks(1);
  run([&](int node, const std::vector<Tensor>&, const Tensor&) {
    nodes.push_back(node);
    marks.emplace_back();
  });
  std::map<std::string, double> out;
  for (size_t i = 0; i < nodes.size(); ++i)
    out[node_kind(graph, graph.nodes[nodes[i]])] += marks[i + 1].ms_since(marks[i]);
  return out;
}

}  // namespace svdlab
