#include <iostream>

#include "core/base/error.h"
#include "core/base/names.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/compare/baseline.h"
#include "experiments/compare/verdict.h"

namespace svdlab {
namespace {

namespace po = boost::program_options;

constexpr const char* kFolder = "notebooks_data/baseline";
constexpr const char* kStudy = "experiments/configs/baseline.yaml";

BaselineMode mode_named(const std::string& name) {
  if (name == "auto") return BaselineMode::kAuto;
  if (name == "exact") return BaselineMode::kExact;
  SVDLAB_REQUIRE(name == "tolerance", Errc::kConfig, "--mode must be auto, exact or tolerance, not ", name,
                 "; nearest: ", nearest(name, {"auto", "exact", "tolerance"}));
  return BaselineMode::kTolerance;
}

// The command that a check under --only repeats.
std::string check_command(const BaselineOptions& o, const std::string& mode) {
  return "svdlab baseline check" + (o.folder == kFolder ? "" : " --baseline " + shell_word(o.folder)) +
         (o.study == kStudy ? "" : " --study " + shell_word(o.study)) +
         (mode == "auto" ? "" : " --mode " + mode);
}

int check(const BaselineOptions& o, const Options& options) {
  RowFilter only;
  if (options.has("only")) only = parse_filter(options.get<std::string>("only"));
  const std::string mode = options.get<std::string>("mode");
  const BaselineCheck done = check_baseline(o, mode_named(mode), only);
  std::cout << "mode: " << done.mode << "\n" << verdict_text(done.results, check_command(o, mode));
  require_passed(done.results);
  std::cout << "the baseline holds: " << done.results.size() << " gates passed\n";
  return 0;
}

}  // namespace

int baseline_command(const std::vector<std::string>& arguments) {
  Options options(
      "baseline update|check",
      "check runs a small study and compares it with golden results, A: bit for bit where machine class\n"
      "and libraries are those that made them, else within gates.yaml. Exit code 4 when it does not\n"
      "hold; the first and the worst layer are named. update makes the golden results anew.",
      "svdlab baseline check");
  options.add()("baseline", po::value<std::string>()->default_value(kFolder),
                "folder with results.h5, machine.yaml, gates.yaml");
  options.add()("study", po::value<std::string>()->default_value(kStudy), "the study that is run");
  options.add()("mode", po::value<std::string>()->default_value("auto"), "check: auto, exact or tolerance");
  options.add()("only", po::value<std::string>(),
                "check: only rows that match, e.g. table=layers,cell=int4/rtn; runs just these cells");
  options.add()("threads", po::value<int64_t>()->default_value(0),
                "worker threads, 0: all cores; does not change results");
  if (!options.parse(arguments)) return 0;
  const std::string& action = options.word("action, update or check");
  const BaselineOptions o{options.get<std::string>("baseline"), options.get<std::string>("study"),
                          thread_count(options.get<int64_t>("threads"))};
  if (action == "check") return check(o, options);
  SVDLAB_REQUIRE(action == "update", Errc::kConfig, "unknown action ", action,
                 "; nearest: ", nearest(action, {"update", "check"}));
  update_baseline(o);
  std::cout << "golden results: " << o.folder << "/results.h5\n";
  return 0;
}

}  // namespace svdlab
