#include <iostream>

#include "core/base/error.h"
#include "core/io/yaml.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/study/progress.h"
#include "experiments/study/run_study.h"
#include "experiments/tables/run_views.h"

namespace svdlab {
namespace {

namespace po = boost::program_options;

int dry_run(const StudyConfig& study, const RunOptions& options) {
  for (const std::string& line : describe_study(study, options)) std::cout << line << "\n";
  std::cout << "---\n" << to_yaml(study.resolved);
  return 0;
}

}  // namespace

int run_command(const std::vector<std::string>& arguments) {
  Options options(
      "run STUDY.yaml [more.yaml ...] [a.b=c ...]",
      "Runs the cells of a study that have no result yet and writes tables and a report. Files are laid "
      "over\n"
      "each other from left to right; a.b=c changes a key that exists, +a.b=c adds one, ~a.b removes one.",
      "svdlab run experiments/configs/quickstart.yaml protocol.items=8 --threads 4");
  options.add()("threads", po::value<int64_t>()->default_value(0),
                "worker threads, 0: all cores; does not change results");
  options.add()("batch", po::value<int64_t>()->default_value(0),
                "items handed to the workers at a time, 0: all; does not change results");
  options.add()("runs", po::value<std::string>()->default_value("runs"), "folder of run directories");
  options.add()("dry-run", "show the cells and the resolved configuration, run nothing");
  if (!options.parse(arguments)) return 0;
  std::vector<std::string> files, overrides;
  for (const std::string& word : options.words()) (is_override(word) ? overrides : files).push_back(word);
  SVDLAB_REQUIRE(!files.empty(), Errc::kConfig,
                 "no study file given; usage: svdlab run STUDY.yaml [a.b=c ...]");
  const int64_t batch = options.get<int64_t>("batch");
  SVDLAB_REQUIRE(batch >= 0, Errc::kConfig, "--batch must not be negative: ", batch);
  const RunOptions run{.runs = options.get<std::string>("runs"),
                       .schedule = {.threads = thread_count(options.get<int64_t>("threads")), .batch = batch},
                       .command_line = program_arguments()};
  const StudyConfig study = load_study(files, overrides);
  if (options.has("dry-run")) return dry_run(study, run);
  const StudyRun done = run_study(study, run);
  write_views(done.folder, done.results);
  log_line(concat(study.cells.size(), " cells: ", done.failed, " failed, ", done.skipped, " skipped, ",
                  done.reused, " reused"));
  std::cout << summary_text(done.results) << "\nreport: " << done.folder << "/report.html\n";
  SVDLAB_REQUIRE(
      done.failed == 0, Errc::kFailedCells, done.failed, " of ", study.cells.size(),
      " cells failed; the lines under the table say why (remove cells/<cell>.h5 to try one again)");
  return 0;
}

}  // namespace svdlab
