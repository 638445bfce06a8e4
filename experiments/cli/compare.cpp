#include <iostream>

#include "core/base/error.h"
#include "core/io/files.h"
#include "core/io/yaml.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/compare/differences.h"
#include "experiments/compare/live.h"
#include "experiments/compare/study_part.h"
#include "experiments/compare/verdict.h"

namespace svdlab {
namespace {

namespace po = boost::program_options;

/// The two sides, and the words that name them on a command line.
struct Sides {
  ComparedFile a, b;
  std::string words;
};

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += " " + shell_word(word);
  return out;
}

// With --only, builds run the cells it names, from a study file that holds no others.
std::vector<std::string> study_words(const std::vector<std::string>& words, const RowFilter& only,
                                     const std::string& runs) {
  std::vector<std::string> files, overrides;
  for (const std::string& word : words) (is_override(word) ? overrides : files).push_back(word);
  StudyConfig study = load_study(files, overrides);
  if (only.empty()) return words;
  keep_cells(study, only);
  const std::string text = to_yaml(study.resolved);
  const std::string file = runs + "/" + study.name + "-" + sha256(text).substr(0, 12) + ".yaml";
  make_directories(runs);
  write_file(file, text);
  return {file};
}

Sides live_sides(const Options& options, const RowFilter& only) {
  const std::vector<std::string>& words = options.words();
  SVDLAB_REQUIRE(words.size() >= 3, Errc::kConfig, "--live takes two programs and a study, got ",
                 words.size(),
                 " words; usage: svdlab compare --live BINARY_A BINARY_B STUDY.yaml [a.b=c ...]");
  const std::string runs = options.get<std::string>("runs");
  const int threads = thread_count(options.get<int64_t>("threads"));
  const std::vector<std::string> study = study_words({words.begin() + 2, words.end()}, only, runs);
  return {load_compared(run_live(words[0], "a", study, runs, threads)),
          load_compared(run_live(words[1], "b", study, runs, threads)),
          " --live" + joined(words) + (runs == "runs/live" ? "" : " --runs " + shell_word(runs))};
}

Sides stored_sides(const Options& options) {
  const std::vector<std::string>& words = options.words();
  SVDLAB_REQUIRE(words.size() == 2, Errc::kConfig, "compare takes two results, got ", words.size(),
                 " words; usage: svdlab compare A B [--gate gates.yaml]");
  return {load_compared(words[0]), load_compared(words[1]), joined(words)};
}

}  // namespace

int compare_command(const std::vector<std::string>& arguments) {
  Options options(
      "compare A B [--gate gates.yaml] | compare --live BINARY_A BINARY_B STUDY.yaml [a.b=c ...]",
      "Compares two results (results.h5 or run folder), or two builds of this program on one study, row by "
      "row:\n"
      "cells, layers, layers by step, steps, pictures. Gates decide, exit code 4 when one does not pass; "
      "without\n"
      "them the differences are shown. A gate file is a list of\n"
      "  {table: layers, metric: output_sqnr_db, max_drop: 0.1, cell: int4/*}\n"
      "with max_drop, max_rise or max_change (0.1 or 2%) or exact: true, patterns for identifier columns, "
      "and\n"
      "for table samples paired: true, which judges by the paired 95 % interval of each cell's mean.",
      "svdlab compare notebooks_data/results/components.h5 runs/components-46ac04d49f0c --gate gates.yaml");
  options.add()("gate", po::value<std::string>(), "YAML list of gates; without: show what differs");
  options.add()("only", po::value<std::string>(),
                "only rows that match, e.g. table=layers,cell=int4/rtn,layer=*.to_q");
  options.add()("live", "A and B are programs, which run the study that follows");
  options.add()("runs", po::value<std::string>()->default_value("runs/live"), "--live: folder of their runs");
  options.add()("threads", po::value<int64_t>()->default_value(0), "--live: worker threads, 0: all cores");
  if (!options.parse(arguments)) return 0;
  std::vector<Gate> gates;
  if (options.has("gate")) gates = load_gates(options.get<std::string>("gate"));
  RowFilter only;
  if (options.has("only")) only = parse_filter(options.get<std::string>("only"));
  const Sides sides = options.has("live") ? live_sides(options, only) : stored_sides(options);
  std::cout << "A: " << sides.a.path << "\nB: " << sides.b.path << "\n";
  if (gates.empty()) return std::cout << differences_text(sides.a, sides.b, only), 0;
  const std::vector<GateResult> results = check_gates(gates, sides.a, sides.b, only);
  std::cout << verdict_text(
      results, "svdlab compare" + sides.words + " --gate " + shell_word(options.get<std::string>("gate")));
  require_passed(results);
  std::cout << results.size() << " gates passed\n";
  return 0;
}

}  // namespace svdlab
