#include <iostream>

#include "core/base/error.h"
#include "experiments/analyze/analysis_study.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/study/progress.h"
#include "experiments/tables/run_views.h"

namespace svdlab {
namespace {

namespace po = boost::program_options;

std::string help_text() {
  std::string out = "Looks into a model, or into the cells of a study, and writes tables and a report:";
  for (const Analysis& a : analyses())
    out += "\n  " + a.name + std::string(13 - a.name.size(), ' ') + a.summary;
  return out;
}

std::string usage_names() {
  std::string out;
  for (const Analysis& a : analyses()) out += (out.empty() ? "" : "|") + a.name;
  return out;
}

AnalysisRequest request_of(const Options& options) {
  const std::vector<std::string>& words = options.words();
  SVDLAB_REQUIRE(words.size() >= 2, Errc::kConfig,
                 "expected what to analyze and a model folder or study file; usage: svdlab analyze ",
                 usage_names(), " MODEL");
  AnalysisRequest out{.source = words[1], .overrides = {words.begin() + 2, words.end()}};
  for (const std::string& text : out.overrides)
    SVDLAB_REQUIRE(text[0] == '~' || text.find('=') != std::string::npos, Errc::kConfig,
                   "expected one model folder or study file, got ", out.source, " and ", text);
  out.schemes = options.get<std::string>("scheme");
  out.methods = options.get<std::string>("method");
  out.cell = options.get<std::string>("cell");
  if (options.has("items")) out.items = options.get<int64_t>("items");
  if (options.has("steps")) out.steps = options.get<int64_t>("steps");
  if (options.has("by"))
    out.options.by = options.get<std::string>("by");
  else if (words.front() == "sensitivity")
    out.options.by = "group";
  return out;
}

}  // namespace

int analyze_command(const std::vector<std::string>& arguments) {
  Options options("analyze " + usage_names() + " MODEL|STUDY.yaml [a.b=c ...]", help_text(),
                  "svdlab analyze sensitivity notebooks_data/models/flux-cifar --by block --items 4");
  options.add()("scheme", po::value<std::string>()->default_value(""),
                "schemes of a model's cells, commas between");
  options.add()("method", po::value<std::string>()->default_value(""),
                "methods of a model's cells, commas between");
  options.add()("cell", po::value<std::string>()->default_value(""), "the only cell of a study to look at");
  options.add()("items", po::value<int64_t>(), "items to sample; default: what suits the analysis");
  options.add()("steps", po::value<int64_t>(), "Euler steps, of calibration too; default: the same");
  options.add()("by", po::value<std::string>(),
                "sensitivity: what is turned on and off, block, group (default) or role");
  options.add()("threads", po::value<int64_t>()->default_value(0),
                "worker threads, 0: all cores; does not change results");
  options.add()("runs", po::value<std::string>()->default_value("runs"), "folder of run directories");
  if (!options.parse(arguments)) return 0;
  SVDLAB_REQUIRE(!options.words().empty(), Errc::kConfig, "nothing to analyze; usage: svdlab analyze ",
                 usage_names(), " MODEL");
  const Analysis& analysis = analysis_named(options.words().front());
  const AnalysisRequest request = request_of(options);
  const StudyConfig study = analysis_study(analysis, request);
  const StudyRun done = run_study(study,
                                  {.runs = options.get<std::string>("runs"),
                                   .schedule = {.threads = thread_count(options.get<int64_t>("threads"))},
                                   .command_line = program_arguments()},
                                  analysis_work(analysis, request.options));
  write_views(done.folder, done.results);
  std::cout << summary_text(done.results) << "\nreport: " << done.folder << "/report.html\n";
  SVDLAB_REQUIRE(done.failed == 0, Errc::kFailedCells, done.failed, " of ", study.cells.size(),
                 " cells failed; the lines under the tables say why");
  return 0;
}

}  // namespace svdlab
