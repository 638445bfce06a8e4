#include "experiments/analyze/analysis_study.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "eval/matrix_nuclear_norm.h"
#include "experiments/cli/command.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/run_views.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"
#include "tests/support/tables.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kQuick = {"calibration={pairs: 4, pairs_per_item: 2, tokens: 256, seed: 0}"};

class Analyze : public ::testing::Test {
 protected:
  void SetUp() override { testing::write_random_model(model()); }

  std::string model() const { return dir_.file("model"); }

  AnalysisRequest request(const std::string& by = "") const {
    return {.source = model(), .overrides = kQuick, .items = 3, .steps = 2, .options = {.by = by}};
  }

  StudyRun run(const std::string& name, const AnalysisRequest& r, const std::string& runs = "runs",
               int threads = 2) const {
    const Analysis& analysis = analysis_named(name);
    return run_study(analysis_study(analysis, r),
                     {.runs = dir_.file(runs), .schedule = {.threads = threads}, .command_line = {"test"}},
                     analysis_work(analysis, r.options));
  }

  StudyRun study(const std::string& more) const {
    return run_study(parse_study(parse_yaml("{study: s, model: " + model() +
                                                ", protocol: {items: 3, steps: 2}, calibration: {pairs: 4, "
                                                "pairs_per_item: 2, tokens: 256}, " +
                                                more + "}",
                                            "study.yaml")),
                     {.runs = dir_.file("runs"), .schedule = {.threads = 2}, .command_line = {"test"}});
  }

  testing::TempDir dir_;
};

/// PSNR item by item: what a study measured for its only cell, and what a trial of sensitivity did.
std::vector<double> study_psnr(const StudyRun& run, const std::string& cell) {
  const Table& samples = run.results.table("/samples");
  std::vector<double> out;
  for (const size_t row : rows_where(samples, "cell", cell)) out.push_back(numbers(samples, "psnr_db")[row]);
  return out;
}
std::vector<double> trial_psnr(const StudyRun& run, const std::string& mode, const std::string& unit) {
  const Table& items = run.results.table("/sensitivity_items");
  std::vector<double> out;
  for (const size_t row : rows_where(items, "mode", mode))
    if (texts(items, "unit")[row] == unit) out.push_back(numbers(items, "psnr_db")[row]);
  return out;
}

TEST_F(Analyze, OneGroupAloneIsAStudyThatQuantizesOnlyThatGroup) {
  const StudyRun found = run("sensitivity", request("group"));
  const Graph graph = load_model(model()).graph;
  const LayerGroup& group = graph.group_of(graph.linear_index("transformer_blocks.0.attn.to_q"));
  ASSERT_EQ(group.members.size(), 3u);
  std::string here, others;
  for (const int member : group.members) {
    const std::string match = "{match: " + graph.linears[member].name + ", recipe: {scheme: ";
    here += match + "int4, method: $method}}, ";
    others += match + "bf16}}, ";
  }
  const StudyRun alone = study("methods: [rtn], plan: [" + here + "{match: '*', recipe: {scheme: bf16}}]");
  EXPECT_EQ(trial_psnr(found, "only", group.name), study_psnr(alone, "rtn"));
  EXPECT_EQ(study_psnr(alone, "rtn").size(), 3u);
  for (const double psnr : study_psnr(alone, "rtn")) EXPECT_TRUE(std::isfinite(psnr)) << "nothing changed";
  const StudyRun everything = study("schemes: [int4], methods: [rtn]");
  EXPECT_EQ(trial_psnr(found, "all", "all"), study_psnr(everything, "int4/rtn"));
  const StudyRun rest =
      study("schemes: [int4], methods: [rtn], plan: [" + others +
            "{match: '*.norm*.linear', recipe: {scheme: w4a16-int4-g64, method: rtn}}, {match: '*blocks.*', "
            "recipe: {scheme: $scheme, method: $method}}, {match: '*', recipe: {scheme: bf16}}]");
  EXPECT_EQ(trial_psnr(found, "all-but", group.name), study_psnr(rest, "int4/rtn"));
}

TEST_F(Analyze, SensitivityIsSortedAndCountsEveryQuantizedLinearOnce) {
  const Graph graph = load_model(model()).graph;
  for (const char* by : {"block", "role"}) {
    const StudyRun found = run("sensitivity", request(by));
    const Table& s = found.results.table("/sensitivity");
    double last = std::numeric_limits<double>::infinity();
    int64_t linears = 0, weights = 0, all_linears = 0, all_weights = 0;
    for (size_t i = 0; i < s.rows(); ++i) {
      EXPECT_EQ(integers(s, "n")[i], 3);
      EXPECT_LE(numbers(s, "latent_lo")[i], numbers(s, "latent_rel_error")[i]);
      EXPECT_GT(numbers(s, "output_rel_error")[i], 0);
      if (texts(s, "mode")[i] == "all")
        all_linears = integers(s, "linears")[i], all_weights = integers(s, "weights")[i];
      if (texts(s, "mode")[i] != "only") continue;
      EXPECT_LE(numbers(s, "latent_rel_error")[i], last);
      last = numbers(s, "latent_rel_error")[i];
      linears += integers(s, "linears")[i], weights += integers(s, "weights")[i];
    }
    EXPECT_EQ(linears, all_linears);
    EXPECT_EQ(weights, all_weights);
    int64_t in_blocks = 0;
    for (const LinearSpec& spec : graph.linears) in_blocks += !spec.block.empty();
    EXPECT_EQ(linears, in_blocks);
  }
}

TEST_F(Analyze, ResultsDoNotDependOnThreads) {
  for (const Analysis& analysis : analyses()) {
    SCOPED_TRACE(analysis.name);
    AnalysisRequest r = request(analysis.name == "sensitivity" ? "block" : "");
    r.schemes = "int4";
    const StudyRun one = run(analysis.name, r, "one", 1), three = run(analysis.name, r, "three", 3);
    EXPECT_EQ(one.failed + one.skipped, 0);
    testing::expect_same_tables(one.results.tables, three.results.tables, false);
    for (const std::string& table : analysis.tables) EXPECT_GT(one.results.table(table).rows(), 0u) << table;
  }
}

TEST_F(Analyze, AFinishedAnalysisIsNotRunAgainAndReadsBack) {
  const StudyRun first = run("spectrum", request());
  const auto stamp = fs::last_write_time(first.folder + "/cells/int4-smooth.h5");
  const StudyRun second = run("spectrum", request());
  EXPECT_EQ(second.folder, first.folder);
  EXPECT_EQ(second.reused, 1);
  EXPECT_EQ(fs::last_write_time(first.folder + "/cells/int4-smooth.h5"), stamp);
  testing::expect_same_tables(load_results(first.folder + "/results.h5").tables, first.results.tables, true);
  EXPECT_NE(run("outliers", request()).folder, first.folder);
  EXPECT_NE(run("sensitivity", request("block")).folder, run("sensitivity", request("role")).folder);
}

TEST_F(Analyze, SpectrumAndOutliersWithoutSmoothingAreThoseOfTheWeight) {
  AnalysisRequest r = request();
  r.methods = "rtn";
  const Graph graph = load_model(model()).graph;
  const StudyRun spectrum = run("spectrum", r), outliers = run("outliers", r);
  const Table &s = spectrum.results.table("/spectrum_energy"), &o = outliers.results.table("/outlier_rank");
  EXPECT_EQ(numbers(s, "weight"), numbers(s, "smoothed"));
  EXPECT_EQ(numbers(o, "weight_ratio"), numbers(o, "smoothed_weight_ratio"));
  EXPECT_EQ(numbers(o, "input_ratio"), numbers(o, "smoothed_input_ratio"));
  size_t seen = 0;
  for (size_t i = 0; i < o.rows(); ++i) {
    if (texts(o, "branch")[i] != "single_transformer_blocks.0.proj_out") continue;
    ++seen;
    const Tensor w = graph.linears[graph.linear_index(texts(o, "branch")[i])].weight.to(at::kDouble);
    const auto [u, values, vh] = at::linalg_svd(w, false);
    const int64_t rank = integers(o, "rank")[i];
    const Tensor rest = w - (u.slice(1, 0, rank) * values.slice(0, 0, rank)).matmul(vh.slice(0, 0, rank));
    const Tensor channels = std::get<0>(rest.abs().max(0));
    if (rank == w.size(0)) {
      EXPECT_LE(numbers(o, "weight_absmax")[i], 1e-10);
      continue;
    }
    testing::expect_close(numbers(o, "weight_absmax")[i], channels.max().item<double>(), 1e-9);
    testing::expect_close(numbers(o, "weight_ratio")[i],
                          channels.max().item<double>() / channels.median().item<double>(), 1e-8);
  }
  EXPECT_EQ(seen, 8u);  // 0, 1, 2, 4, 8, 16, 32, 64
}

TEST_F(Analyze, LayerErrorsAreThoseOfTheStudyAndFactsThoseOfTheWeights) {
  AnalysisRequest r = request();
  r.schemes = "int4,w8a8";
  const StudyRun found = run("layers", r), measured = study("schemes: [int4], methods: [rtn]");
  const Table &facts = found.results.table("/layer_facts"), &errors = found.results.table("/layer_errors"),
              &layers = measured.results.table("/layers");
  const Graph graph = load_model(model()).graph;
  ASSERT_EQ(facts.rows(), graph.linears.size());
  for (size_t i = 0; i < facts.rows(); ++i) {
    const Tensor w = graph.linears[graph.linear_index(texts(facts, "layer")[i])].weight.to(at::kDouble);
    EXPECT_EQ(numbers(facts, "weight_absmax")[i], w.abs().max().item<double>());
    testing::expect_close(numbers(facts, "weight_rms")[i], w.norm().item<double>() / std::sqrt(w.numel()),
                          1e-12);
    EXPECT_GE(numbers(facts, "input_absmax")[i], numbers(facts, "input_rms")[i]);
  }
  std::map<std::string, double> int4_weight, int4, w8a8;
  for (size_t i = 0; i < errors.rows(); ++i) {
    const std::string& layer = texts(errors, "layer")[i];
    if (texts(errors, "cell")[i] == "w8a8/rtn") {
      w8a8[layer] = numbers(errors, "output_sqnr_db")[i];
      continue;
    }
    int4[layer] = numbers(errors, "output_sqnr_db")[i];
    int4_weight[layer] = numbers(errors, "weight_sqnr_db")[i];
  }
  ASSERT_EQ(int4.size(), w8a8.size());
  for (const auto& [layer, sqnr] : int4) EXPECT_GT(w8a8.at(layer), sqnr + 5) << layer;
  size_t shared = 0;
  for (size_t i = 0; i < layers.rows(); ++i) {
    if (texts(layers, "role")[i] == "adaln") continue;  // these are W4A16 in studies
    ++shared;
    EXPECT_EQ(int4_weight.at(texts(layers, "layer")[i]), numbers(layers, "weight_sqnr_db")[i]);
    // Other tokens of the same kind: about the same error.
    EXPECT_NEAR(int4.at(texts(layers, "layer")[i]), numbers(layers, "output_sqnr_db")[i], 3);
  }
  EXPECT_GT(shared, 0u);
}

TEST_F(Analyze, RangesAreThoseOfTheReplayedInputs) {
  AnalysisRequest r = request();
  r.items = 1;
  const StudyRun found = run("timesteps", r);
  const Table& ranges = found.results.table("/timestep_ranges");
  Reference reference(analysis_study(analysis_named("timesteps"), r), {}, dir_.file("reference"));
  reference.ensure(1, {.threads = 1});
  const Graph& graph = reference.model().graph;
  for (int64_t step = 0; step < 2; ++step) {
    std::map<std::string, Tensor> inputs;
    reference.executor().run(
        reference.sampler().inputs(reference.item(0), reference.trajectory(0).latents[step], step),
        [&](int node, const std::vector<Tensor>& in, const Tensor&) {
          if (graph.nodes[node].op == Op::kLinear) inputs[graph.nodes[node].id] = in[0];
        });
    for (size_t i = 0; i < ranges.rows(); ++i) {
      if (integers(ranges, "step")[i] != step) continue;
      const Tensor& x = inputs.at(texts(ranges, "group")[i]);
      EXPECT_EQ(numbers(ranges, "absmax")[i], x.abs().max().item<double>()) << texts(ranges, "group")[i];
      testing::expect_close(numbers(ranges, "rms")[i], x.norm().item<double>() / std::sqrt(x.numel()), 1e-5);
    }
  }
  EXPECT_EQ(ranges.rows(), 2 * graph.groups.size());
  EXPECT_GT(found.results.table("/layer_steps").rows(), 0u);
}

TEST_F(Analyze, HiddenStatesAreThoseOfTheReplayedRunAndChangeBehindWhatIsQuantized) {
  AnalysisRequest r = request();
  r.items = 1, r.schemes = "int4", r.methods = "rtn";
  r.overrides.push_back(
      "plan=[{match: single_transformer_blocks.0.proj_out, recipe: {scheme: $scheme, method: $method}}, "
      "{match: '*', recipe: {scheme: bf16}}]");
  const StudyRun found = run("hidden", r);
  const Table& h = found.results.table("/hidden_states");
  Reference reference(analysis_study(analysis_named("hidden"), r), {}, dir_.file("reference"));
  reference.ensure(1, {.threads = 1});
  const Graph& graph = reference.model().graph;
  std::map<std::string, double> expected;
  reference.executor().run(
      reference.sampler().inputs(reference.item(0), reference.trajectory(0).latents[1], 1),
      [&](int node, const std::vector<Tensor>&, const Tensor& out) {
        expected[graph.nodes[node].id] = matrix_nuclear_norm(out.reshape({-1, out.size(-1)}));
      });
  EXPECT_EQ(h.rows(), 2 * 5u);  // steps, states: 4 of the double block, 1 of the single one
  for (size_t i = 0; i < h.rows(); ++i) {
    const std::string& state = texts(h, "state")[i];
    SCOPED_TRACE(state);
    const double norm = numbers(h, "nuclear_norm")[i], norm16 = numbers(h, "nuclear_norm_16_bit")[i];
    if (integers(h, "step")[i] == 1) testing::expect_close(norm16, expected.at(state), 1e-12);
    EXPECT_EQ(norm != norm16, state.rfind("single_transformer_blocks", 0) == 0);
  }
}

TEST_F(Analyze, FinerCodesRoundLessToZero) {
  AnalysisRequest r = request();
  r.schemes = "int4,w8a8,w4a16-int4-g64";
  const StudyRun found = run("layers", r);
  const Table& e = found.results.table("/layer_errors");
  std::map<std::string, std::map<std::string, size_t>> rows;
  for (size_t i = 0; i < e.rows(); ++i) rows[texts(e, "layer")[i]][texts(e, "cell")[i]] = i;
  for (const auto& [layer, row] : rows) {
    SCOPED_TRACE(layer);
    const size_t int4 = row.at("int4/rtn"), w8a8 = row.at("w8a8/rtn"), w4a16 = row.at("w4a16-int4-g64/rtn");
    for (const char* column : {"weight_zero_share", "input_zero_share"}) {
      // Behind GELU int4 is shifted, and 0 is no code.
      const bool shifted = layer.ends_with(".net.2") && std::string(column) == "input_zero_share";
      EXPECT_EQ(std::isnan(numbers(e, column)[int4]), shifted) << column;
      if (shifted) continue;
      EXPECT_GT(numbers(e, column)[int4], numbers(e, column)[w8a8]) << column;
      EXPECT_LT(numbers(e, column)[int4], 0.6) << column;
    }
    EXPECT_EQ(numbers(e, "weight_zero_share")[int4], numbers(e, "weight_zero_share")[w4a16]);
    EXPECT_TRUE(std::isnan(numbers(e, "input_zero_share")[w4a16]));
  }
  EXPECT_GT(rows.size(), 10u);
}

TEST_F(Analyze, LooksAtTheChosenCellOfAStudy) {
  write_file(dir_.file("study.yaml"), "study: s\nmodel: " + model() +
                                          "\nprotocol: {items: 2, steps: 2}\ncalibration: {pairs: 4, "
                                          "pairs_per_item: 2, tokens: 256}\nschemes: [int4, nvfp4]\nmethods: "
                                          "{mine: {transform: {smooth: {alpha: 0.3, beta: 0.4}}}}\n");
  const StudyRun one =
      run("outliers", {.source = dir_.file("study.yaml"), .cell = "nvfp4/mine", .options = {}});
  EXPECT_EQ(texts(one.results.table("/cells"), "cell"), (std::vector<std::string>{"16-bit", "nvfp4/mine"}));
  EXPECT_EQ(texts(one.results.table("/cells"), "status")[1], "analyzed");
  EXPECT_EQ(run("outliers", {.source = dir_.file("study.yaml")}).results.table("/cells").rows(), 3u);
}

TEST_F(Analyze, WritesEveryTableAChartAndTheWholeStory) {
  for (const Analysis& analysis : analyses()) {
    SCOPED_TRACE(analysis.name);
    AnalysisRequest r = request(analysis.name == "sensitivity" ? "block" : "");
    r.schemes = "int4";
    const StudyRun found = run(analysis.name, r);
    write_views(found.folder, found.results);
    for (const std::string& table : analysis.tables)
      EXPECT_TRUE(fs::exists(found.folder + "/tables" + table + ".csv")) << table;
    const std::string page = read_file(found.folder + "/report.html"), text = summary_text(found.results);
    EXPECT_NE(page.find("<svg"), std::string::npos);
    EXPECT_NE(page.find("from " + analysis.tables.back().substr(0, 12)), std::string::npos);
    EXPECT_NE(text.find("Analysis " + analysis.name + " of "), std::string::npos) << text;
    EXPECT_EQ(text.find("Study "), analysis.whole_cell ? 0u : std::string::npos) << text;
  }
}

TEST_F(Analyze, RefusesWhatItDoesNotKnow) {
  const auto refuses = [&](const std::string& name, const AnalysisRequest& r, Errc code,
                           const std::vector<std::string>& parts) {
    return testing::throws_error([&] { run(name, r); }, code, parts);
  };
  EXPECT_TRUE(refuses("sensitivty", request(), Errc::kConfig, {"sensitivty", "\"sensitivity\""}));
  EXPECT_TRUE(refuses("sensitivity", request("blocks"), Errc::kConfig, {"--by", "\"blocks\"", "block"}));
  EXPECT_TRUE(refuses("spectrum", request("block"), Errc::kConfig, {"--by block", "sensitivity"}));
  AnalysisRequest r = request();
  r.schemes = "int5";
  EXPECT_TRUE(refuses("layers", r, Errc::kConfig, {"int5", "int4"}));
  r = request();
  r.methods = "rtn,,svd";
  EXPECT_TRUE(refuses("layers", r, Errc::kConfig, {"--method", "rtn,,svd"}));
  r = request();
  r.cell = "int4/rtn";
  EXPECT_TRUE(refuses("layers", r, Errc::kConfig, {"--cell int4/rtn", "model"}));
  r = request();
  r.items = 0;
  EXPECT_TRUE(refuses("timesteps", r, Errc::kConfig, {"protocol.items", "0"}));
  r.source = dir_.file("absent");
  r.items = 1;
  EXPECT_TRUE(refuses("layers", r, Errc::kInput, {"absent"}));
  write_file(dir_.file("study.yaml"), "study: s\nmodel: " + model() + "\nschemes: [int4]\nmethods: [rtn]\n");
  EXPECT_TRUE(refuses("layers", {.source = dir_.file("study.yaml"), .cell = "int4/rtm"}, Errc::kConfig,
                      {"int4/rtm", "\"int4/rtn\""}));
  EXPECT_TRUE(refuses("layers", {.source = dir_.file("study.yaml"), .schemes = "int4"}, Errc::kConfig,
                      {"--scheme", "--cell"}));
}

TEST_F(Analyze, IsACommandOfTheProgram) {
  const auto program = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "analyze");
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = run_program(words);
    return std::tuple(code, ::testing::internal::GetCapturedStdout(),
                      ::testing::internal::GetCapturedStderr());
  };
  const auto [code, out, err] = program({"outliers", model(), kQuick[0], "--steps", "2", "--scheme", "int4",
                                         "--method", "rtn", "--runs", dir_.file("runs")});
  EXPECT_EQ(code, 0) << err;
  EXPECT_NE(out.find("Outlier channels."), std::string::npos) << out;
  EXPECT_NE(out.find("/report.html\n"), std::string::npos) << out;
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"layers"},
                                             {"layer", model()},
                                             {"layers", model(), "more"},
                                             {"layers", model(), "--item", "2"}}) {
    const auto [misuse, nothing, message] = program(words);
    EXPECT_EQ(misuse, 2) << message;
    EXPECT_EQ(nothing, "");
    EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 1) << message;
  }
  EXPECT_NE(std::get<1>(program({"--help"})).find("sensitivity"), std::string::npos);
}

TEST_F(Analyze, ACellThatQuantizesNothingIsSkipped) {
  AnalysisRequest r = request();
  r.schemes = "bf16";
  const StudyRun found = run("layers", r);
  EXPECT_EQ(found.skipped, 1);
  EXPECT_GT(found.results.table("/layer_facts").rows(), 0u);
  EXPECT_NE(summary_text(found.results).find("bf16"), std::string::npos);
}

}  // namespace
}  // namespace svdlab
