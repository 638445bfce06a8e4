#include "experiments/bench/step_bench.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/runtime/gpu_run.h"
#include "core/runtime/kernel_stream.h"

namespace svdlab {
namespace {

// Libraries put stack traces into their messages.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void finish(StepRow& row, const StepModel& model) {
  row.weight_bytes = model.weight_bytes();
  row.peak_bytes = gpu_memory().peak;
  row.message = model.paths();
}

StepRow eager(const std::string& name, const StepModel& model, const StepOptions& options) {
  StepRow row{.model = name, .mode = "eager"};
  row.times = time_step([&] { model.run({}); }, options.warm_up, options.runs);
  finish(row, model);
  if (options.breakdown)
    row.breakdown = step_breakdown([&](const GraphRunner::Observer& observer) { model.run(observer); },
                                   [&](int node) { return model.kind(node); });
  return row;
}

StepRow replayed(const std::string& name, const StepModel& model, const StepOptions& options) {
  StepRow row{.model = name, .mode = "graph"};
  Tensor out;
  const GpuRecording recording([&] { out = model.run({}); });
  row.times = time_step([&] { recording.replay(); }, options.warm_up, options.runs);
  finish(row, model);
  return row;
}

// What `make` gives, or a row with the reason why there is none.
template <class Make>
StepRow attempted(const std::string& name, const std::string& mode, const Make& make) {
  try {
    return make();
  } catch (const std::exception& e) {
    return {.model = name, .mode = mode, .message = first_line(e.what())};
  }
}

void bench_model(const std::string& name, const StepOptions& options,
                 const std::function<void(const StepRow&)>& report) {
  std::unique_ptr<StepModel> model;
  report(attempted(name, "eager", [&] {
    gpu_forget_peak();
    model = step_models().at(name)(options.shape, at::Device(at::kCUDA, 0));
    gpu_forget_peak();
    return eager(name, *model, options);
  }));
  if (model) report(attempted(name, "graph", [&] { return replayed(name, *model, options); }));
}

double best_bf16(const std::vector<StepRow>& rows) {
  double best = 0;
  for (const StepRow& r : rows)
    if (r.model == "bf16" && r.times.runs > 0 && (best == 0 || r.times.median < best)) best = r.times.median;
  return best;
}

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;

}  // namespace

std::vector<StepRow> run_step_bench(const StepOptions& options,
                                    const std::function<void(const StepRow&)>& report) {
  std::vector<std::string> names = options.models.empty() ? step_models().names() : options.models;
  for (const std::string& name : names) step_models().at(name);
  const std::string problem = gpu_problem();
  SVDLAB_REQUIRE(problem.empty(), Errc::kConfig, "bench step needs a GPU: ", problem);
  const NoGradGuard no_grad;
  std::vector<StepRow> rows;
  for (const std::string& name : names)
    bench_model(name, options, [&](const StepRow& row) {
      rows.push_back(row);
      report(row);
    });
  return rows;
}

Table step_table(const std::vector<StepRow>& rows) {
  const double bf16 = best_bf16(rows);
  std::vector<std::string> model, mode, message;
  std::vector<double> ms, p10, p90, speedup, weights, peak, mhz, watts;
  std::vector<int64_t> runs;
  for (const StepRow& r : rows) {
    const bool timed = r.times.runs > 0;
    const double nothing = std::nan("");
    model.push_back(r.model);
    mode.push_back(r.mode);
    ms.push_back(timed ? r.times.median : nothing);
    p10.push_back(timed ? r.times.p10 : nothing);
    p90.push_back(timed ? r.times.p90 : nothing);
    runs.push_back(r.times.runs);
    speedup.push_back(timed && bf16 > 0 ? bf16 / r.times.median : nothing);
    weights.push_back(timed ? static_cast<double>(r.weight_bytes) / kGib : nothing);
    peak.push_back(timed ? static_cast<double>(r.peak_bytes) / kGib : nothing);
    mhz.push_back(timed ? r.times.sm_mhz : nothing);
    watts.push_back(timed ? r.times.watts : nothing);
    message.push_back(r.message);
  }
  return {"/steps",
          {{"model", "", model},
           {"mode", "", mode},
           {"ms", "ms", ms},
           {"p10_ms", "ms", p10},
           {"p90_ms", "ms", p90},
           {"runs", "", runs},
           {"speedup", "", speedup},
           {"weights_gib", "GiB", weights},
           {"peak_gib", "GiB", peak},
           {"sm_mhz", "MHz", mhz},
           {"watts", "W", watts},
           {"message", "", message}}};
}

Table breakdown_table(const std::vector<StepRow>& rows) {
  std::vector<std::string> model, kind;
  std::vector<double> ms;
  for (const StepRow& row : rows) {
    std::vector<std::pair<double, std::string>> kinds;
    for (const auto& [name, time] : row.breakdown) kinds.emplace_back(-time, name);
    std::sort(kinds.begin(), kinds.end());
    for (const auto& [time, name] : kinds) {
      model.push_back(row.model);
      kind.push_back(name);
      ms.push_back(-time);
    }
  }
  return {"/step_breakdown", {{"model", "", model}, {"kind", "", kind}, {"ms", "ms", ms}}};
}

}  // namespace svdlab
