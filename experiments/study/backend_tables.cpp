#include "experiments/study/backend_tables.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/runtime/fused_executor.h"
#include "eval/pair_sums.h"
#include "experiments/study/layer_metrics.h"
#include "experiments/study/progress.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

constexpr int kTimedSteps = 4;
constexpr double kTimedSeconds = 2;

Table& named(std::vector<Table>& tables, const std::string& name) {
  return const_cast<Table&>(*find_table(tables, name));
}

/// Results of one fused node against the reference's.
struct NodeError {
  double gate_db = 0;
  PairSums sums;
};

/// By the graph node that holds the result. Every step of the first item.
using NodeErrors = std::map<int, NodeError>;

void add_step(const Graph& graph, const FusedExecutor& fused, const Executor& executor,
              const NamedTensors& inputs, NodeErrors& errors) {
  std::vector<Tensor> values(graph.nodes.size());
  executor.run(inputs, [&](int node, const auto&, const Tensor& output) { values[node] = output; });
  for (size_t i = 0; i < fused.plan().nodes.size(); ++i)
    for (const FusedExecutor::Border& b : fused.run_fused(i, values)) {
      Tensor expected = values[b.node];
      if (expected.sizes() != b.value.sizes())
        expected = expected.slice(1, b.first_token, b.first_token + b.value.size(1));
      NodeError& error = errors[b.node];
      error.gate_db = least_sqnr_db(fused.plan().nodes[i]);
      add(error.sums, pair_sums(expected, b.value.to(at::kCPU, at::kFloat)));
    }
}

NodeErrors node_errors(const FusedExecutor& fused, const Reference& reference,
                       const CompressedModel& compressed, const Schedule& schedule) {
  const Graph& graph = reference.model().graph;
  const Executor executor(graph, {.compressed = &compressed});
  const int64_t steps = reference.sampler().steps();
  std::vector<NodeErrors> by_step(steps);
  Progress progress("  nodes, step");
  for_each_item(
      0, steps, schedule,
      [&](int64_t step) {
        const Tensor& latents = reference.trajectory(0).latents[step];
        add_step(graph, fused, executor, reference.sampler().inputs(reference.item(0), latents, step),
                 by_step[step]);
      },
      [&](int64_t done, int64_t total) { progress.update(done, total); });
  NodeErrors out;
  for (const NodeErrors& step : by_step)
    for (const auto& [node, error] : step) {
      out[node].gate_db = error.gate_db;
      add(out[node].sums, error.sums);
    }
  return out;
}

/// The median of a few steps after a first one, on this thread alone.
double seconds_per_step(const GraphRunner& runner, const Reference& reference) {
  const NoGradGuard no_grad;
  const Sampler sampler = reference.sampler_for(runner);
  std::vector<double> seconds;
  double total = 0;
  while (seconds.size() < 2 || (seconds.size() <= kTimedSteps && total < kTimedSeconds)) {
    const Progress clock("");
    sampler.velocity(reference.item(0), reference.trajectory(0).latents[0], 0);
    seconds.push_back(clock.seconds());
    total += seconds.back();
  }
  seconds.erase(seconds.begin());
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

void path_rows(const std::string& cell, const Graph& graph, const FusionPlan& plan, const NodeErrors& errors,
               Table& t) {
  for (const NodePath& p : plan.paths) {
    const auto error = errors.find(p.node);
    texts(t, "cell").push_back(cell);
    texts(t, "node").push_back(graph.nodes[p.node].id);
    texts(t, "op").push_back(to_string(graph.nodes[p.node].op));
    texts(t, "path").push_back(p.path);
    texts(t, "served_by").push_back(p.served);
    texts(t, "reason").push_back(p.reason);
    numbers(t, "implementation_sqnr_db")
        .push_back(error == errors.end() ? std::nan("") : sqnr_db_of(error->second.sums));
    numbers(t, "gate_db").push_back(error == errors.end() ? std::nan("") : error->second.gate_db);
  }
}

/// The node nearest to its gate, or farthest below it; errors.end() for none.
NodeErrors::const_iterator worst_of(const NodeErrors& errors) {
  const auto margin = [](const auto& e) {
    const double db = sqnr_db_of(e.second.sums) - e.second.gate_db;
    return std::isnan(db) ? -INFINITY : db;
  };
  return std::min_element(errors.begin(), errors.end(),
                          [&](const auto& a, const auto& b) { return margin(a) < margin(b); });
}

int64_t linears_on(const Graph& graph, const FusionPlan& plan, const std::string& path) {
  return std::count_if(plan.paths.begin(), plan.paths.end(), [&](const NodePath& p) {
    return p.path == path && graph.nodes[p.node].op == Op::kLinear;
  });
}

}  // namespace

void fill_backend_tables(const std::string& cell, const std::string& name, const Backend& backend,
                         const Reference& reference, const CompressedModel& compressed,
                         const Schedule& schedule, std::vector<Table>& tables) {
  const Graph& graph = reference.model().graph;
  const FusionPlan none;
  const FusionPlan& plan = backend.fused ? backend.fused->plan() : none;
  NodeErrors errors;
  if (backend.fused) errors = node_errors(*backend.fused, reference, compressed, schedule);
  path_rows(cell, graph, plan, errors, named(tables, "/paths"));
  Table& t = named(tables, "/backends");
  const auto worst = worst_of(errors);
  const bool any = worst != errors.end();
  texts(t, "cell").push_back(cell);
  texts(t, "backend").push_back(name);
  texts(t, "device").push_back(backend.device);
  integers(t, "fused_linears").push_back(linears_on(graph, plan, "fused"));
  integers(t, "reference_linears")
      .push_back(backend.fused ? linears_on(graph, plan, "reference")
                               : static_cast<int64_t>(compressed.linears.size()));
  texts(t, "worst_node").push_back(any ? graph.nodes[worst->first].id : "");
  numbers(t, "worst_sqnr_db").push_back(any ? sqnr_db_of(worst->second.sums) : std::nan(""));
  numbers(t, "worst_gate_db").push_back(any ? worst->second.gate_db : std::nan(""));
  numbers(t, "seconds_per_step").push_back(seconds_per_step(*backend.runner, reference));
}

}  // namespace svdlab
