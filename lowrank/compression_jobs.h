#pragma once
#include <string>
#include <vector>

#include "lowrank/compress_group.h"

namespace svdlab {

/// Linears that must be compressed together, because their groups use one smoothing vector: the unit of work.
struct CompressionJob {
  /// The part of a group that one rule of the plan covers.
  struct Share {
    const LayerGroup* group;
    std::vector<int> linears;  ///< indices into Graph::linears
  };
  const PlanRule* rule;
  std::vector<Share> shares;
  int64_t weights = 0;  ///< elements of all its linears: what its work is ordered by
};

/// Groups of more weights are divided where nothing ties their linears (no transform, no low-rank branch).
inline constexpr int64_t kMostUntiedWeights = int64_t{1} << 26;

/// The jobs of a plan, the largest first; linears that stay 16 bit are in none. They refer to `graph` and
/// `plan`.
/// @param rules  from assign_rules.
std::vector<CompressionJob> compression_jobs(const Graph& graph, const Plan& plan,
                                             const std::vector<int>& rules);

/// What compress_group is given for a job. @param stats  of the job's groups; those that are absent stay
/// null. Weights go to `device`, where the statistics must be. Throws kInput when channels do not fit.
std::vector<GroupProblem> group_problems(const Graph& graph, const StatsMap& stats, const CompressionJob& job,
                                         at::Device device = at::kCPU);

/// Compresses one job on the calling thread and options.device; the result has biases and is on the CPU.
/// @param stats  of the job's groups at least. kInput when channels do not fit; otherwise as compress_group.
GroupCompression run_job(const Graph& graph, const StatsMap& stats, const CompressionJob& job,
                         const CompressionOptions& options);

}  // namespace svdlab
