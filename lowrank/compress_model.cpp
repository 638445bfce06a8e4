#include "lowrank/compress_model.h"

#include <mutex>

#include "core/base/parallel.h"
#include "core/runtime/single_thread.h"
#include "lowrank/compression_jobs.h"

namespace svdlab {
namespace {

Compression collect(const Graph& graph, std::vector<GroupCompression>& parts) {
  Compression out;
  std::map<std::string, CompressionLog> logs;
  for (GroupCompression& part : parts) {
    for (CompressionLog& log : part.log) logs[log.linear] = std::move(log);
    for (CompressedLinear& linear : part.linears) out.model.linears[linear.name] = std::move(linear);
  }
  for (const LinearSpec& spec : graph.linears) {
    const auto found = logs.find(spec.name);
    if (found != logs.end()) out.log.push_back(std::move(found->second));
  }
  return out;
}

}  // namespace

Compression compress_model(const Graph& graph, const StatsMap& stats, const Plan& plan,
                           const CompressionOptions& options) {
  const std::vector<CompressionJob> jobs = compression_jobs(graph, plan, assign_rules(graph, plan));
  std::vector<GroupCompression> parts(jobs.size());
  const SingleThreadScope whole_model;  // BLAS must not change its mind between jobs
  std::mutex mutex;
  int done = 0;
  parallel_for(static_cast<int64_t>(jobs.size()), options.threads, [&](int64_t i, int) {
    const SingleThreadScope this_worker;
    const NoGradGuard no_grad;
    parts[i] = run_job(graph, stats, jobs[i], options);
    const std::lock_guard lock(mutex);
    if (options.progress) options.progress(++done, static_cast<int>(jobs.size()));
  });
  return collect(graph, parts);
}

}  // namespace svdlab
