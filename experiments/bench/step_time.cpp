#include "experiments/bench/step_time.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/runtime/gpu_run.h"
#include "kernels/bench/sensors.h"

namespace svdlab {

StepTimes summary_of(std::vector<double> ms) {
  SVDLAB_REQUIRE(!ms.empty(), Errc::kUnexpected, "no times");
  std::sort(ms.begin(), ms.end());
  const size_t n = ms.size();
  return {.median = ms[n / 2], .p10 = ms[n / 10], .p90 = ms[n * 9 / 10], .runs = static_cast<int>(n)};
}

StepTimes time_step(const std::function<void()>& step, int warm_up, int runs) {
  for (int i = 0; i < warm_up; ++i) step();
  gpu_wait();
  std::vector<double> ms;
  double mhz = 0, watts = 0;
  for (int i = 0; i < runs; ++i) {
    const GpuMark begin;
    step();
    const GpuMark end;
    const bench::Sensors sensors = bench::read_sensors();  // the GPU is still at it
    mhz += sensors.sm_mhz;
    watts += sensors.watts;
    ms.push_back(end.ms_since(begin));
  }
  StepTimes out = summary_of(ms);
  out.sm_mhz = mhz / runs;
  out.watts = watts / runs;
  return out;
}

std::string node_kind(const Graph& graph, const Node& node) {
  if (node.op != Op::kLinear) return to_string(node.op);
  return "linear " + to_string(graph.linears[node.linear].role);
}

std::map<std::string, double> step_breakdown(const std::function<void(const GraphRunner::Observer&)>& run,
                                             const std::function<std::string(int node)>& kind_of) {
  std::vector<int> nodes;
  std::vector<GpuMark> marks(1);
  run([&](int node, const std::vector<Tensor>&, const Tensor&) {
    nodes.push_back(node);
    marks.emplace_back();
  });
  std::map<std::string, double> out;
  for (size_t i = 0; i < nodes.size(); ++i) out[kind_of(nodes[i])] += marks[i + 1].ms_since(marks[i]);
  return out;
}

}  // namespace svdlab
