#pragma once
#include <string>
#include <vector>

#include "experiments/quantize/quantize_plan.h"

namespace svdlab {

/// How much anonymous memory one process of the run may use, and what decides it.
struct MemoryPlan {
  int workers = 1;
  int64_t per_worker = 0;  ///< bytes; job_memory() of the largest job
  std::string largest;     ///< file of that job
  int64_t bytes() const { return workers * per_worker + kConstant; }

  static constexpr int64_t kConstant = int64_t{1} << 30;  ///< program, libraries, graph
};

/// What a job may hold: 6 x its weights in fp32 and, with statistics, 2 x its Gram matrix in fp32.
int64_t job_memory(const Graph& graph, const CompressionJob& job, bool statistics);

/// @param threads  0: as many workers as cores, jobs and memory allow, at least one. kResource when a number
/// that
///                 was asked for may need more than is available.
/// @param sharers  processes like this one on the machine.
MemoryPlan plan_memory(const Graph& graph, const std::vector<CompressionJob>& jobs, bool statistics,
                       int threads, int sharers);

}  // namespace svdlab
