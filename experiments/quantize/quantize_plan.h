#pragma once
#include <string>
#include <vector>

#include "experiments/quantize/quantize_config.h"
#include "lowrank/compression_jobs.h"

namespace svdlab {

/// A configuration applied to one model: which linear gets what, in which units of work.
struct QuantizePlan {
  Plan rules;
  std::vector<int> rule_of;          ///< index into `rules` for every linear of the graph
  std::vector<CompressionJob> jobs;  ///< the largest first; they refer to the graph and to `rules`

  QuantizePlan() = default;
  QuantizePlan(QuantizePlan&&) = default;
  QuantizePlan& operator=(QuantizePlan&&) = default;
};

/// Throws kConfig as assign_rules does: a linear without a rule, a pattern that matches nothing.
QuantizePlan make_quantize_plan(const Graph& graph, const QuantizeConfig& config);

/// What does not fit between a configuration and a model: linears that no rule matches, patterns that match
/// no linear.
struct Unmatched {
  std::vector<std::string> linears, patterns;
};
Unmatched find_unmatched(const Graph& graph, const QuantizeConfig& config);

/// File of a job in the output folder.
std::string job_file(const Graph& graph, const CompressionJob& job);
/// Relative cost of a job, for spreading jobs over ranks.
double job_cost(const Graph& graph, const CompressionJob& job);
/// Upper bound of the bytes a job writes, its part of the index included.
int64_t job_disk(const Graph& graph, const CompressionJob& job);
/// A table of rules for people: layers, weights, formats, stages, bits per weight.
std::string rules_text(const Graph& graph, const QuantizePlan& plan);

}  // namespace svdlab
