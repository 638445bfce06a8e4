#include "experiments/quantize/memory_plan.h"

#include <algorithm>
#include <thread>

#include "core/base/error.h"
#include "experiments/quantize/bytes_text.h"
#include "experiments/quantize/memory_meter.h"

namespace svdlab {

int64_t job_memory(const Graph& graph, const CompressionJob& job, bool statistics) {
  int64_t channels = 0;
  for (const CompressionJob::Share& share : job.shares)
    channels = std::max(channels, graph.linears[share.linears.front()].in_features());
  return 4 * (6 * job.weights + (statistics ? 2 * channels * channels : 0));
}

MemoryPlan plan_memory(const Graph& graph, const std::vector<CompressionJob>& jobs, bool statistics,
                       int threads, int sharers) {
  MemoryPlan plan;
  for (const CompressionJob& job : jobs)
    if (const int64_t bytes = job_memory(graph, job, statistics); bytes > plan.per_worker) {
      plan.per_worker = bytes;
      plan.largest = job_file(graph, job);
    }
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / sharers);
  const int64_t available = available_bytes() / sharers;
  plan.workers = std::min(threads > 0 ? threads : cores, static_cast<int>(std::max<size_t>(1, jobs.size())));
  while (threads == 0 && plan.workers > 1 && plan.bytes() > available) --plan.workers;
  SVDLAB_REQUIRE(plan.workers == 1 || plan.bytes() <= available, Errc::kResource, "memory: ", plan.workers,
                 " workers may need ", bytes_text(plan.bytes()), ", ", bytes_text(available),
                 " are available; use fewer --threads");
  return plan;
}

}  // namespace svdlab
