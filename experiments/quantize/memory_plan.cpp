#include "experiments/quantize/memory_plan.h"

#include <algorithm>
#include <thread>

#include "core/base/error.h"
#include "experiments/quantize/bytes_text.h"
#include "experiments/quantize/memory_meter.h"
#include "lowrank/gpu_stages.h"

namespace svdlab {

namespace {

int64_t channels_of(const Graph& graph, const CompressionJob& job) {
  int64_t channels = 0;
  for (const CompressionJob::Share& share : job.shares)
    channels = std::max(channels, graph.linears[share.linears.front()].in_features());
  return channels;
}

int64_t ranges_of(const CompressionJob& job, const MemoryRequest& request) {
  return job.rule != nullptr && job.rule->recipe.by_timestep ? request.ranges : 0;
}

}  // namespace

int64_t job_memory(const Graph& graph, const CompressionJob& job, const MemoryRequest& request) {
  const int64_t channels = channels_of(graph, job), gram = 4 * channels * channels;
  const bool rotated = job.rule != nullptr && !only_divides(job.rule->recipe);
  const int64_t grams = request.statistics ? (rotated ? 8 : 2) * gram : 0;
  return 4 * 6 * job.weights + grams + ranges_of(job, request) * (job.weights + job.weights / 4);
}

int64_t job_gpu_memory(const Graph& graph, const CompressionJob& job, const MemoryRequest& request) {
  constexpr int64_t kSmall = int64_t{1} << 28;
  const int64_t channels = channels_of(graph, job), gram = 8 * channels * channels;
  const int64_t ranges = ranges_of(job, request);
  return 4 * 16 * job.weights + (request.statistics ? (3 + ranges) * gram : 0) +
         ranges * (job.weights + job.weights / 4) + kSmall;
}

MemoryPlan plan_memory(const Graph& graph, const std::vector<CompressionJob>& jobs,
                       const MemoryRequest& request) {
  MemoryPlan plan;
  plan.gpus = request.gpus;
  for (const CompressionJob& job : jobs) {
    plan.per_gpu_worker = std::max(plan.per_gpu_worker, job_gpu_memory(graph, job, request));
    if (const int64_t bytes = job_memory(graph, job, request); bytes > plan.per_worker) {
      plan.per_worker = bytes;
      plan.largest = job_file(graph, job);
    }
  }
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / request.sharers);
  const int64_t available = available_bytes() / request.sharers;
  const int wanted = request.threads > 0 ? request.threads : request.gpus > 0 ? request.gpus : cores;
  plan.workers = std::min(wanted, static_cast<int>(std::max<size_t>(1, jobs.size())));
  while (request.threads == 0 && plan.workers > 1 && plan.bytes() > available) --plan.workers;
  SVDLAB_REQUIRE(plan.workers == 1 || plan.bytes() <= available, Errc::kResource, "memory: ", plan.workers,
                 " workers may need ", bytes_text(plan.bytes()), ", ", bytes_text(available),
                 " are available; use fewer --threads");
  return plan;
}

}  // namespace svdlab
