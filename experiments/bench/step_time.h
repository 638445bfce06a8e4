#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/ir/graph.h"
#include "core/runtime/graph_runner.h"

namespace svdlab {

/// Times of one way to run a step, in milliseconds.
struct StepTimes {
  double median = 0, p10 = 0, p90 = 0;
  int runs = 0;
  double sm_mhz = 0, watts = 0;  ///< mean over the runs of what the driver read in each
};

/// Median and spread of times; kUnexpected without any.
StepTimes summary_of(std::vector<double> ms);

/// Runs `step` on the GPU `warm_up` times, then `runs` times with events around each.
StepTimes time_step(const std::function<void()>& step, int warm_up, int runs);

/// What a node counts under in a breakdown: the role of a linear ("linear ff_up"), the name of an op.
std::string node_kind(const Graph& graph, const Node& node);

/// GPU time of one eager step, milliseconds, by the kind of each node: `run` evaluates a graph and calls the
/// observer behind each node.
std::map<std::string, double> step_breakdown(const std::function<void(const GraphRunner::Observer&)>& run,
                                             const std::function<std::string(int node)>& kind_of);

}  // namespace svdlab
