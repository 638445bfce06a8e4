#include "experiments/study/cached_stats.h"

#include <cmath>
#include <filesystem>

#include "core/io/files.h"
#include "experiments/calibrate/stats_file.h"
#include "experiments/study/progress.h"
#include "experiments/study/provenance.h"
#include "lowrank/problem_checks.h"

namespace svdlab {
namespace {

// Everything the statistics depend on.
std::string fingerprint_of(const CalibrationOptions& options, const OutlierDial& dial,
                           const std::string& model_sha256) {
  Value v = Value::map();
  v.at_or_add("model") = Value::text(model_sha256);
  v.at_or_add("outliers") = dial.to_value();
  v.at_or_add("pairs") = Value::integer(options.pairs);
  v.at_or_add("pairs_per_item") = Value::integer(options.pairs_per_item);
  v.at_or_add("tokens") = Value::integer(options.tokens);
  if (options.timesteps == CalibrationSteps::kUniform) v.at_or_add("timesteps") = Value::text("uniform");
  if (options.time_ranges > 0) v.at_or_add("time_ranges") = Value::integer(options.time_ranges);
  v.at_or_add("seed") = Value::integer(static_cast<int64_t>(options.seed));
  v.at_or_add("steps") = Value::integer(options.steps);
  v.at_or_add("numerics") = Value::integer(kNumericsVersion);
  v.at_or_add("guidance") = Value::number(options.guidance);
  // Absent without gradients: such statistics keep their name in the cache.
  if (options.gradients)
    v.at_or_add("gradients") = Value::text(options.full_gradients.empty() ? "means" : "full");
  return sha256(v.canonical_json());
}

// Every worker holds statistics of its own; on many cores that would be most of the memory.
constexpr int64_t kMemoryBudget = int64_t{3} << 29;  // bytes

FisherDetail fisher_detail(const StudyConfig& study) {
  FisherDetail most = FisherDetail::kNone;
  for (const Cell& cell : study.cells)
    for (const CellRule& r : cell.rules)
      if (r.rule.scheme.weights && !r.rule.recipe.keeps_16_bit())
        most = std::max(most, fisher_detail(r.rule.recipe, make_stages(r.rule.recipe, "")));
  return most;
}

int affordable_threads(const Graph& graph, CalibrationOptions options) {
  while (options.threads > 1 && calibration_bytes(graph, options) > kMemoryBudget) --options.threads;
  return options.threads;
}

void ask_for_gradients(const StudyConfig& study, const Graph& graph, CalibrationOptions& options) {
  const FisherDetail detail = fisher_detail(study);
  options.gradients = detail != FisherDetail::kNone;
  if (detail != FisherDetail::kFull) return;
  int64_t bytes = 0;
  for (const LinearSpec& linear : graph.linears) bytes += 8 * linear.weight.numel();
  SVDLAB_REQUIRE(
      bytes <= kMemoryBudget, Errc::kResource, "gradients of every weight would take ", bytes >> 20,
      " MiB, a study keeps at most ", kMemoryBudget >> 20,
      "; collect those of single groups with svdlab calibrate --fisher-full GROUP for svdlab quantize");
  for (const LayerGroup& group : graph.groups) options.full_gradients.insert(group.name);
}

}  // namespace

StatsMap cached_stats(const StudyConfig& study, const OutlierDial& dial, const Reference& reference,
                      const std::string& model_sha256, const std::string& cache, int threads) {
  CalibrationOptions options = study.calibration;
  options.steps = study.protocol.steps;
  options.guidance = reference.guidance();
  options.threads = threads;
  ask_for_gradients(study, reference.model().graph, options);
  options.threads = affordable_threads(reference.model().graph, options);
  const std::string fingerprint = fingerprint_of(options, dial, model_sha256);
  const std::string path = cache + "/calibration-" + fingerprint.substr(0, 16) + ".safetensors";
  if (std::filesystem::exists(path)) {
    try {
      StoredStats stored = load_stats(path);
      if (stored.fingerprint == fingerprint) {
        log_line("calibration: reused " + path);
        return std::move(stored.stats);
      }
    } catch (const Error& e) {
      log_line(concat("calibration: taken again, because ", e.what()));
    }
  }
  Progress progress("calibration, item");
  StatsMap stats = calibrate(reference.model(), reference.conditioning(), reference.facts(), options,
                             [&](int64_t done, int64_t total) { progress.update(done, total); });
  make_directories(cache);
  // With a dial on, they are statistics of another model.
  save_stats(path, stats, fingerprint, dial.on() ? model_sha256 + "+" + dial.tag() : model_sha256);
  log_line(
      concat("calibration: ", options.pairs, " pairs, ", std::lround(progress.seconds() * 10) / 10.0, " s"));
  return stats;
}

}  // namespace svdlab
