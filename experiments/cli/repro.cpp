#include <algorithm>
#include <filesystem>
#include <iostream>

#include "core/base/error.h"
#include "core/io/files.h"
#include "core/models/model.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/repro/study_cells.h"
#include "experiments/repro/verdict_views.h"
#include "experiments/study/progress.h"
#include "experiments/study/run_study.h"
#include "experiments/tables/run_views.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* kUsage = "repro TABLE|list [a.b=c ...]";

int list_tables(const std::string& folder) {
  const std::vector<std::string> names = paper_table_names(folder);
  size_t width = 0;
  for (const std::string& name : names) width = std::max(width, name.size());
  for (const std::string& name : names) {
    const PaperTable t = load_paper_table(name, folder);
    std::cout << name << std::string(width + 2 - name.size(), ' ') << t.title << " (" << t.source << "; "
              << t.cells.size() << " cells, "
              << (t.study.empty() ? "no study: needs --results" : "measured by " + t.study) << ")\n";
  }
  return 0;
}

int judged_and_shown(const PaperTable& table, const MeasuredTable& measured, const std::string& folder) {
  const Judgement judgement = judge(table, measured);
  write_repro(folder, table, measured, judgement);
  std::cout << repro_text(table, measured, judgement) << "verdicts: " << folder << "/verdicts.md\n";
  return 0;
}

int judge_without_results(const PaperTable& table, const Options& options) {
  const MeasuredTable nothing{.origin = "nothing: no study measures this table, and no --results are given"};
  return judged_and_shown(table, nothing, options.get<std::string>("runs") + "/" + repro_study_name(table));
}

int run_and_judge(const PaperTable& table, const Options& options, std::vector<std::string> overrides) {
  if (options.has("model")) overrides.insert(overrides.begin(), "model=" + options.get<std::string>("model"));
  const StudyConfig study = repro_study(table, options.get<std::string>("protocol"), overrides);
  const StudyRun done =
      run_study(study, {.runs = options.get<std::string>("runs"),
                        .schedule = {.threads = thread_count(options.get<int64_t>("threads"))},
                        .command_line = program_arguments()});
  write_views(done.folder, done.results);
  log_line(concat(study.cells.size(), " cells: ", done.failed, " failed, ", done.skipped, " skipped, ",
                  done.reused, " reused"));
  judged_and_shown(table, measured_in_study(table, done.results), done.folder + "/repro");
  SVDLAB_REQUIRE(done.failed == 0, Errc::kFailedCells, done.failed, " of ", study.cells.size(),
                 " cells failed; their verdicts say why");
  return 0;
}

/// Results of another model than asked for would get a name that is not theirs.
void check_model(const PaperTable& table, const Options& options, const std::string& path,
                 const ResultFile& results) {
  const std::string protocol = options.get<std::string>("protocol"),
                    wanted = options.has("model") ? options.get<std::string>("model")
                                                  : repro_study(table, protocol, {}).model;
  const std::string sha256 = fs::is_directory(wanted) ? model_hash(wanted) : wanted;
  SVDLAB_REQUIRE(results.model_sha256 == sha256, Errc::kConfig, path, ": results of a model with SHA-256 ",
                 results.model_sha256.substr(0, 12), ", but ", wanted, " has ", sha256.substr(0, 12),
                 "; --model names the folder, or the SHA-256, of the one they are of");
}

int judge_results(const PaperTable& table, const Options& options, const std::string& path) {
  SVDLAB_REQUIRE(fs::exists(path), Errc::kInput, "--results ", path, " does not exist");
  const std::string file = fs::is_directory(path) ? path + "/results.h5" : path;
  MeasuredTable measured;
  if (fs::exists(file)) {
    const ResultFile results = load_results(file);
    measured = measured_in_study(table, results);
    check_model(table, options, file, results);
  } else {
    SVDLAB_REQUIRE(!options.has("model"), Errc::kConfig, "--model goes with a study or its results.h5; in ",
                   path, " the folders of the sections say which model is meant");
    measured = measured_in_folder(table, path);
  }
  const std::string id = sha256(table.name + " " + table.source + " " + measured.fingerprint).substr(0, 12);
  return judged_and_shown(
      table, measured,
      options.get<std::string>("runs") + "/" + repro_study_name(table) + "-" + id + "/repro");
}

}  // namespace

int repro_command(const std::vector<std::string>& arguments) {
  Options options(
      kUsage,
      "Measures a published table and says cell by cell what came out again: runs the cells of the "
      "table's\nstudy that have no result yet (a.b=c changes the study as svdlab run does), or takes "
      "results that are there.\nWhat is not reproduced is a finding: the exit code is 0.",
      "svdlab repro components --protocol small --threads 2");
  options.add()("protocol", po::value<std::string>()->default_value("small"), "small or full, as in a study");
  options.add()("model", po::value<std::string>(),
                "model folder in place of the study's; with --results what they must be of");
  options.add()("results", po::value<std::string>(),
                "a results.h5 or its run directory, or a folder <section>/<column>/<row>.json of svdlab eval "
                "--json; nothing is run");
  options.add()("threads", po::value<int64_t>()->default_value(0), "worker threads, 0: all cores");
  options.add()("runs", po::value<std::string>()->default_value("runs"), "folder of run directories");
  options.add()("tables", po::value<std::string>()->default_value(kPaperTables),
                "folder of published tables");
  if (!options.parse(arguments)) return 0;
  std::vector<std::string> names, overrides;
  for (const std::string& word : options.words())
    (word.find('=') == std::string::npos && word[0] != '~' ? names : overrides).push_back(word);
  SVDLAB_REQUIRE(names.size() == 1, Errc::kConfig, "one table is needed, not ", names.size(),
                 "; usage: svdlab ", kUsage);
  const std::string tables = options.get<std::string>("tables");
  if (names[0] == "list") return list_tables(tables);
  const PaperTable table = load_paper_table(names[0], tables);
  if (!options.has("results"))
    return table.study.empty() ? judge_without_results(table, options)
                               : run_and_judge(table, options, overrides);
  SVDLAB_REQUIRE(overrides.empty(), Errc::kConfig, "--results runs nothing, so ", overrides[0],
                 " changes nothing; leave one of them out");
  return judge_results(table, options, options.get<std::string>("results"));
}

}  // namespace svdlab
