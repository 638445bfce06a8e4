#include "experiments/compare/baseline.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "core/base/error.h"
#include "core/io/files.h"
#include "core/io/yaml.h"
#include "core/models/model.h"
#include "experiments/compare/machine_class.h"
#include "experiments/compare/study_part.h"
#include "experiments/study/run_study.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

/// A fresh folder for one run, so that nothing of an earlier build is reused.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (fs::temp_directory_path() / "svdlab-baseline-XXXXXX").string();
    SVDLAB_REQUIRE(::mkdtemp(pattern.data()) != nullptr, Errc::kResource, pattern, ": cannot be made");
    path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

StudyRun run_in(const ScratchFolder& scratch, const StudyConfig& study, int threads) {
  return run_study(study,
                   {.runs = scratch.path(), .schedule = {.threads = threads}, .command_line = {"baseline"}});
}

std::string golden(const BaselineOptions& o) { return o.folder + "/results.h5"; }
std::string machine_file(const BaselineOptions& o) { return o.folder + "/machine.yaml"; }
std::string gates_file(const BaselineOptions& o) { return o.folder + "/gates.yaml"; }

/// Layers first, so that what is named first is a layer where one differs.
std::vector<Gate> exact_gates(const ComparedFile& a) {
  std::vector<Gate> out = {{.table = "/layers", .limit = Limit::kExact}};
  for (const Table& t : a.tables)
    if (t.name != "/layers" && t.rows() > 0) out.push_back({.table = t.name, .limit = Limit::kExact});
  return out;
}

/// Mode and reason.
std::pair<bool, std::string> decide(const BaselineOptions& o, BaselineMode mode) {
  const std::string differences =
      class_differences(machine_class(), class_from_value(load_yaml(machine_file(o))));
  const bool same = differences.empty();
  if (mode == BaselineMode::kExact)
    return {true, same ? "exact, as asked" : "exact, as asked, although " + differences};
  if (mode == BaselineMode::kTolerance) return {false, "tolerances of " + gates_file(o) + ", as asked"};
  if (same) return {true, "exact: machine class and libraries are the baseline's"};
  return {false, "tolerances of " + gates_file(o) + ": " + differences};
}

}  // namespace

void update_baseline(const BaselineOptions& options) {
  const StudyConfig study = load_study({options.study}, {});
  const ScratchFolder scratch;
  const StudyRun done = run_in(scratch, study, options.threads);
  SVDLAB_REQUIRE(done.failed + done.skipped == 0, Errc::kFailedCells, options.study, ": ", done.failed,
                 " cells failed, ", done.skipped, " were skipped; a baseline needs all of them");
  make_directories(options.folder);
  save_results(golden(options), done.results);
  write_file(machine_file(options), to_yaml(class_to_value(machine_class())));
}

BaselineCheck check_baseline(const BaselineOptions& options, BaselineMode mode, const RowFilter& only) {
  StudyConfig study = load_study({options.study}, {});
  SVDLAB_REQUIRE(fs::exists(golden(options)), Errc::kInput, golden(options),
                 " does not exist; run this in the project's folder, or make it with svdlab baseline update");
  const ComparedFile stored = load_compared(golden(options));
  SVDLAB_REQUIRE(stored.config_sha256 == study_hash(study, model_hash(study.model)), Errc::kConfig,
                 stored.path, " belongs to another study, model or version of the numerics than ",
                 options.study, "; where that is meant, svdlab baseline update makes it anew");
  const auto [exact, why] = decide(options, mode);
  std::vector<Gate> gates = exact ? exact_gates(stored) : load_gates(gates_file(options));
  keep_cells(study, only);
  const ScratchFolder scratch;
  const ComparedFile now = load_compared(run_in(scratch, study, options.threads).folder);
  return {why, check_gates(gates, stored, now, only)};
}

}  // namespace svdlab
