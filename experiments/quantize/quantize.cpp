#include "experiments/quantize/quantize.h"

#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <mutex>
#include <numeric>
#include <optional>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/files.h"
#include "core/runtime/single_thread.h"
#include "experiments/quantize/memory_meter.h"
#include "experiments/quantize/output_folder.h"
#include "experiments/quantize/quantize_inputs.h"
#include "experiments/quantize/quantize_text.h"
#include "experiments/study/progress.h"
#include "experiments/study/provenance.h"

namespace svdlab {
namespace {

// Every rank gets here; where one fails, all stop, and only the one that knows why says so.
void together(const Ranks& ranks, const std::function<void()>& step) {
  std::exception_ptr failure;
  try {
    step();
  } catch (...) {
    failure = std::current_exception();
  }
  const int failed = ranks.failures(failure != nullptr);
  if (failure) std::rethrow_exception(failure);
  SVDLAB_REQUIRE(failed == 0, Errc::kUnexpected, failed, " of ", ranks.size(),
                 " ranks failed, their messages say why; start again to go on with what is finished");
}

/// Which rank does each of the `costs`, given with the largest first: always the one with the least so far.
std::vector<int> spread(const std::vector<double>& costs, int ranks) {
  std::vector<double> load(static_cast<size_t>(ranks), 0.0);
  std::vector<int> out;
  for (const double cost : costs) {
    const auto least = std::min_element(load.begin(), load.end());
    *least += cost;
    out.push_back(static_cast<int>(least - load.begin()));
  }
  return out;
}

MemoryPlan planned_memory(const QuantizeOptions& options, const QuantizeInputs& inputs,
                          const std::vector<CompressionJob>& jobs, int sharers) {
  const int gpus = options.devices.front().is_cuda() ? static_cast<int>(options.devices.size()) : 0;
  return plan_memory(inputs.model.graph, jobs,
                     {.statistics = inputs.stats != nullptr,
                      .ranges = inputs.stats ? inputs.stats->most_ranges() : 0,
                      .threads = options.threads,
                      .gpus = gpus,
                      .sharers = sharers});
}

// One run on one rank.
class Quantization {
 public:
  Quantization(const QuantizeOptions& options, const Ranks& ranks)
      : options_(options),
        ranks_(ranks),
        inputs_(options.model, options.statistics),
        plan_(make_quantize_plan(inputs_.model.graph, options.config)),
        loras_(plan_loras(options.loras, inputs_.model.graph, plan_.jobs)),
        lora_watch_(loras_.files) {
    for (const CompressionJob& job : plan_.jobs) files_.push_back(job_file(inputs_.model.graph, job));
    memory_ = planned_memory(options, inputs_, plan_.jobs, ranks.on_this_host());
    if (options.devices.front().is_cuda()) prepare_gpus(plan_);
  }

  void begin() {
    if (!ranks_.first()) return;
    CompressedHeader header{.model_class = inputs_.model.class_name};
    log_line("hashing " + options_.model);
    header.model_hash = model_hash(options_.model);
    check_statistics(inputs_, plan_.jobs, header.model_hash);
    if (inputs_.stats) header.statistics_hash = sampled_sha256(options_.statistics);
    header.config = resolved_config(plan_.rules, options_.config.score_tokens);
    if (!loras_.config.items.empty()) header.config.at_or_add("lora") = loras_.config;
    if (const std::string kind = gpu_kind(options_.devices); !kind.empty())
      header.config.at_or_add("device") = Value::text(kind);
    header.fingerprint = fingerprint_ = fingerprint(header);
    require_unchanged();
    folder_ = std::make_unique<OutputFolder>(options_.out, header);
    for (const bool finished : folder_->finished(files_)) finished_ += finished ? '1' : '0';
    print_plan(inputs_.model.graph, plan_, memory_, finished_, options_.out, ranks_.size());
  }

  void share_what_rank_0_knows() {
    fingerprint_ = ranks_.broadcast(fingerprint_);
    finished_ = ranks_.broadcast(finished_);
  }

  void work() {
    const std::vector<size_t> mine = my_jobs();
    const SingleThreadScope whole_run;  // BLAS must not change its mind between jobs
    Progress progress("quantize, unit");
    std::mutex mutex;
    int64_t done = 0;
    parallel_for(static_cast<int64_t>(mine.size()), memory_.workers, [&](int64_t i, int worker) {
      const SingleThreadScope this_worker;
      const NoGradGuard no_grad;
      const at::Device device = device_of(worker);
      std::optional<c10::DeviceGuard> here;
      if (device.is_cuda()) here.emplace(device);
      run_one(plan_.jobs[mine[i]], device);
      const std::lock_guard lock(mutex);
      if (ranks_.first()) progress.update(++done, static_cast<int64_t>(mine.size()));
    });
  }

  void finish() const {
    if (ranks_.first()) folder_->finish(files_);
  }

  double peak() const { return static_cast<double>(meter_.peak()); }
  void report(double peak, double seconds) const {
    if (ranks_.first()) print_result(options_.out, memory_, static_cast<int64_t>(peak), seconds);
  }

 private:
  std::string fingerprint(const CompressedHeader& header) const {
    Value v = Value::map();
    v.at_or_add("schema") = Value::integer(kCompressedSchema);
    v.at_or_add("numerics") = Value::integer(kNumericsVersion);
    v.at_or_add("model") = Value::text(header.model_hash);
    v.at_or_add("statistics") = Value::text(header.statistics_hash);
    v.at_or_add("config") = header.config;
    return sha256(v.canonical_json());
  }

  void require_unchanged() const {
    inputs_.watch.require_unchanged();
    lora_watch_.require_unchanged();
  }

  std::vector<size_t> my_jobs() const {
    std::vector<size_t> open, mine;
    for (size_t i = 0; i < plan_.jobs.size(); ++i)
      if (finished_[i] == '0') open.push_back(i);
    const auto cost = [&](size_t i) { return job_cost(inputs_.model.graph, plan_.jobs[i]); };
    std::stable_sort(open.begin(), open.end(), [&](size_t a, size_t b) { return cost(a) > cost(b); });
    std::vector<double> costs;
    for (const size_t i : open) costs.push_back(cost(i));
    const std::vector<int> owners = spread(costs, ranks_.size());
    for (size_t i = 0; i < open.size(); ++i)
      if (owners[i] == ranks_.rank()) mine.push_back(open[i]);
    return mine;
  }

  // Neighbouring ranks of a machine begin with different GPUs.
  at::Device device_of(int worker) const {
    return options_.devices[static_cast<size_t>(ranks_.rank() + worker) % options_.devices.size()];
  }

  void run_one(const CompressionJob& job, at::Device device) const {
    require_unchanged();
    CompressedUnit unit;
    {
      const StatsMap stats = inputs_.load_stats(job, device);
      GroupCompression done = run_job(merged_graph(inputs_.model.graph, job, loras_.deltas), stats, job,
                                      {.score_tokens = options_.config.score_tokens, .device = device});
      for (size_t i = 0; i < done.linears.size(); ++i)
        unit.push_back({.linear = std::move(done.linears[i]),
                        .group = done.log[i].group,
                        .scheme = done.log[i].scheme,
                        .method = done.log[i].method});
    }
    require_unchanged();
    write_compressed_group(options_.out, unit, fingerprint_);
    inputs_.drop(job);
    unit.clear();
    trim_freed_memory();
  }

  const QuantizeOptions& options_;
  const Ranks& ranks_;
  MemoryMeter meter_;
  QuantizeInputs inputs_;
  QuantizePlan plan_;
  LoraPlan loras_;
  FileWatch lora_watch_;
  std::vector<std::string> files_;  // one for each job
  MemoryPlan memory_;
  std::unique_ptr<OutputFolder> folder_;  // rank 0 only
  std::string fingerprint_;
  std::string finished_;  // '1' for each job whose file is there
};

}  // namespace

void quantize(const QuantizeOptions& options, const Ranks& ranks) {
  const auto start = std::chrono::steady_clock::now();
  return_freed_memory();
  std::unique_ptr<Quantization> run;
  together(ranks, [&] {
    run = std::make_unique<Quantization>(options, ranks);
    run->begin();
  });
  run->share_what_rank_0_knows();
  together(ranks, [&] { run->work(); });
  run->finish();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  run->report(ranks.largest(run->peak()), seconds.count());
}

void describe_quantize(const QuantizeOptions& options) {
  const QuantizeInputs inputs(options.model, options.statistics);
  const Graph& graph = inputs.model.graph;
  print_unmatched(find_unmatched(graph, options.config));
  const QuantizePlan plan = make_quantize_plan(graph, options.config);
  plan_loras(options.loras, graph, plan.jobs);
  check_statistics(inputs, plan.jobs, "");
  if (options.devices.front().is_cuda()) prepare_gpus(plan);
  const MemoryPlan memory = planned_memory(options, inputs, plan.jobs, 1);
  print_plan(graph, plan, memory, std::string(plan.jobs.size(), '0'), options.out, 1);
}

}  // namespace svdlab
