#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/ir/compressed.h"
#include "core/ir/graph.h"
#include "core/ir/stats.h"
#include "lowrank/recipe.h"
#include "quant/transform.h"

namespace svdlab {

/// What happened to one linear on the way; a row of the layer table takes its search facts from here.
struct CompressionLog {
  std::string linear, group, scheme, method;
  int64_t rank = 0;
  double residual_energy = 0,
         optimal_energy = 0,  ///< the least residual any branch of this rank could leave, see factors.h
      total_energy = 0;       ///< of the branch partition's weight matrix before quantization
  std::vector<double> round_errors;  ///< see DriverResult::errors
  int best_round = 0;
  std::vector<SearchStep> search;  ///< of the transform; with the first linear of tied groups, else empty
  double search_seconds = 0;       ///< this linear's share of the transform's search
  double seconds = 0;  ///< this linear's share of the time of its tied groups: the column adds up to the work
};

struct CompressionOptions {
  int threads = 1;              ///< over groups; scheduling only: the result does not depend on it
  int group_threads = 1;        ///< inside each group; likewise
  int64_t score_tokens = 1024;  ///< reservoir tokens a search scores candidates on
  /// Where a job's matrices are worked on (run_job); the result is on the CPU. Not scheduling: a GPU sums in
  /// another order.
  at::Device device = at::kCPU;
  std::function<void(int done, int total)> progress;  ///< may be empty
};

struct Compression {
  CompressedModel model;
  std::vector<CompressionLog> log;  ///< in graph order of the linears
};

/// The rule index for every linear of the graph. Throws kConfig when a linear matches nothing or a rule
/// matches no linear.
std::vector<int> assign_rules(const Graph& graph, const Plan& plan);

/// Applies a plan: groups (split where members got different rules) are compressed independently, tied groups
/// together.
Compression compress_model(const Graph& graph, const StatsMap& stats, const Plan& plan,
                           const CompressionOptions& options);

}  // namespace svdlab
