#include "experiments/quantize/quantize.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "core/io/compressed_file.h"
#include "core/io/files.h"
#include "core/io/yaml.h"
#include "core/runtime/kernel_stream.h"
#include "experiments/calibrate/calibrate.h"
#include "experiments/calibrate/stats_file.h"
#include "experiments/quantize/memory_plan.h"
#include "experiments/quantize/quantize_text.h"
#include "experiments/study/cell_config.h"
#include "lowrank/compress_model.h"
#include "tests/core/io/compressed_unit_samples.h"
#include "tests/support/random_model.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

using testing::throws_error;

const std::string kEmbedded = SVDLAB_SOURCE_DIR "/notebooks_data/models/flux-cifar";

std::map<std::string, std::string> files_of(const std::string& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::directory_iterator(folder))
    out[entry.path().filename().string()] = read_file(entry.path().string());
  return out;
}

class Quantize : public ::testing::Test {
 protected:
  void SetUp() override { testing::write_random_model(model_); }

  StatsMap collect(const std::string& folder) const {
    return calibrate(load_model(folder), load_conditioning(folder), load_sampling_facts(folder),
                     {.pairs = 2, .pairs_per_item = 2, .tokens = 64, .steps = 2});
  }
  void write_stats() const { save_stats(stats_, collect(model_), model_hash(model_)); }

  QuantizeConfig config(const std::string& yaml) const {
    write_file(dir_.file("config.yaml"), yaml);
    return load_quantize_config({dir_.file("config.yaml")}, {});
  }
  void run(const std::string& yaml, const std::string& out, const std::string& stats, int threads = 1) const {
    quantize({.model = model_,
              .statistics = stats,
              .out = dir_.file(out),
              .config = config(yaml),
              .threads = threads},
             Ranks());
  }

  /// The statistics with `change` made to one group of the model's blocks.
  void write_changed_stats(const std::function<void(ActivationStats&)>& change) const {
    StatsMap stats = collect(model_);
    change(stats.at("transformer_blocks.0.attn.to_q"));
    save_stats(stats_, stats, model_hash(model_));
  }

  testing::TempDir dir_;
  std::string model_ = dir_.file("model"), stats_ = dir_.file("stats.safetensors");
};

constexpr const char* kSvdquant =
    "{scheme: int4, method: m, methods: {m: {transform: {smooth: {grid: 3}}, driver: svdquant,"
    " low_rank: {rank: 4}, weights: gptq}}}";

TEST_F(Quantize, FilesHoldWhatCompressModelMakes) {
  const std::string yaml =
      "{scheme: int4, method: m, plan: [\n"
      " {match: 'single_transformer_blocks.0.attn.*', recipe: {scheme: int4, method: $method}},\n"
      " {match: 'transformer_blocks.0.attn.to_*out*', recipe: {scheme: nvfp4, method: $method}},\n"
      " {match: 'transformer_blocks.0.norm1.linear', recipe: {scheme: w4a16-nf4-g64, method: rtn}},\n"
      " {match: '*', recipe: {scheme: bf16}}],\n"
      " methods: {m: {transform: {smooth: {grid: 3}}, driver: svdquant, low_rank: {rank: 4}, weights: "
      "gptq}}}";
  const StatsMap stats = collect(kEmbedded);
  save_stats(stats_, stats, model_hash(kEmbedded));
  const QuantizeConfig c = config(yaml);
  const QuantizeOptions options{
      .model = kEmbedded, .statistics = stats_, .out = dir_.file("out"), .config = c, .threads = 2};
  quantize(options, Ranks());
  const Model model = load_model(kEmbedded);
  const Compression direct =
      compress_model(model.graph, stats, plan_for(model.graph, c.cell), {.threads = 2});
  const CompressedFolder folder(dir_.file("out"));
  EXPECT_EQ(folder.header().model_hash, model_hash(kEmbedded));
  ASSERT_EQ(folder.names().size(), direct.model.linears.size());
  ASSERT_EQ(folder.names().size(), 6u);
  for (const auto& [name, linear] : direct.model.linears) {
    SCOPED_TRACE(name);
    testing::expect_identical_linears(folder.load(name), linear);
    EXPECT_EQ(folder.linear(name).bits(), linear.bits());
  }
}

TEST_F(Quantize, OnAGpuBytesDoNotDependOnWorkersAndTheFolderKnowsTheKind) {
  if (const std::string problem = gpu_problem(); !problem.empty())
    GTEST_SKIP() << "no GPU for tensors: " << problem;
  write_stats();
  const auto run_on_gpu = [&](const std::string& out, int threads) {
    quantize({.model = model_,
              .statistics = stats_,
              .out = dir_.file(out),
              .config = config(kSvdquant),
              .threads = threads,
              .devices = parse_devices("cuda")},
             Ranks());
    return files_of(dir_.file(out));
  };
  const auto one = run_on_gpu("one", 1);
  EXPECT_GE(one.size(), 10u);
  EXPECT_EQ(run_on_gpu("three", 3), one);
  EXPECT_TRUE(throws_error([&] { run(kSvdquant, "one", stats_); }, Errc::kConfig, {"one"}))
      << "a folder that a GPU began is none for a CPU to go on with";
}

TEST_F(Quantize, BytesDoNotDependOnThreads) {
  write_stats();
  run(kSvdquant, "one", stats_, 1);
  const auto one = files_of(dir_.file("one"));
  EXPECT_GE(one.size(), 10u);
  EXPECT_EQ(one.count("quantization.json"), 1u);
  EXPECT_EQ(one.count("quantization.partial.json"), 0u);
  for (const int threads : {2, 3}) {
    run(kSvdquant, "more", stats_, threads);
    EXPECT_TRUE(files_of(dir_.file("more")) == one) << threads;
    fs::remove_all(dir_.file("more"));
  }
}

TEST_F(Quantize, AFinishedFolderIsNotDoneAgainAndAnotherRunIsRefused) {
  run("{scheme: int4, method: rtn}", "out", "");
  const auto first = files_of(dir_.file("out"));
  const std::string unit = dir_.file("out/single_transformer_blocks.0.proj_out.safetensors");
  const auto written = fs::last_write_time(unit);
  run("{scheme: int4, method: rtn}", "out", "");
  EXPECT_TRUE(files_of(dir_.file("out")) == first);
  EXPECT_EQ(fs::last_write_time(unit), written);
  EXPECT_TRUE(throws_error([&] { run("{scheme: nvfp4, method: rtn}", "out", ""); }, Errc::kConfig,
                           {"out", "configuration", "--out"}));
  write_stats();
  EXPECT_TRUE(throws_error([&] { run("{scheme: int4, method: rtn}", "out", stats_); }, Errc::kConfig,
                           {"statistics none -> "}));
  EXPECT_TRUE(files_of(dir_.file("out")) == first);
}

TEST_F(Quantize, GoesOnWithWhatIsThereAndRemovesLeftovers) {
  run("{scheme: int4, method: rtn}", "whole", "");
  run("{scheme: int4, method: rtn}", "part", "");
  fs::remove(dir_.file("part/quantization.json"));
  fs::remove(dir_.file("part/single_transformer_blocks.0.proj_out.safetensors"));
  write_file(dir_.file("part/x.safetensors.tmp.1"), "what a killed writer leaves");
  EXPECT_TRUE(
      throws_error([&] { CompressedFolder(dir_.file("part")); }, Errc::kInput, {"not a finished one"}));
  run("{scheme: int4, method: rtn}", "part", "");
  EXPECT_TRUE(files_of(dir_.file("part")) == files_of(dir_.file("whole")));
}

TEST_F(Quantize, RefusesStatisticsThatDoNotBelong) {
  const auto refuse = [&](const std::vector<std::string>& parts) {
    EXPECT_TRUE(throws_error([&] { run(kSvdquant, "out", stats_); }, Errc::kInput, parts));
    EXPECT_FALSE(fs::exists(dir_.file("out/quantization.json")));
  };
  StatsMap stats = collect(model_);
  save_stats(stats_, stats, "0123456789abcdef");
  refuse({stats_, "0123456789ab", model_hash(model_).substr(0, 12)});
  StatsMap renamed = stats;
  renamed["transformer_blocks.1.attn.to_q"] = stats.at("transformer_blocks.0.attn.to_q");
  save_stats(stats_, renamed, "");
  refuse({"transformer_blocks.1.attn.to_q", "another", "nearest: transformer_blocks.0.attn.to_q"});
  StatsMap narrow = stats;
  narrow.at("transformer_blocks.0.attn.to_q") = stats.at("single_transformer_blocks.0.proj_out");
  save_stats(stats_, narrow, "");
  refuse({"transformer_blocks.0.attn.to_q has 320 channels, in the model 64"});
  StatsMap missing = stats;
  missing.erase("transformer_blocks.0.attn.to_q");
  save_stats(stats_, missing, "");
  refuse({"1 of the model's groups", "transformer_blocks.0.attn.to_q"});
  EXPECT_TRUE(throws_error([&] { run(kSvdquant, "out", ""); }, Errc::kConfig, {"--stats"}));
}

TEST_F(Quantize, RefusesAGramThatIsNone) {
  write_changed_stats([](ActivationStats& s) { s.gram[3][5] = std::numeric_limits<double>::quiet_NaN(); });
  EXPECT_TRUE(throws_error([&] { run(kSvdquant, "out", stats_); }, Errc::kInput,
                           {"transformer_blocks.0.attn.to_q", "nan", "(5, 3)"}));
  write_changed_stats([](ActivationStats& s) { s.gram.diagonal().neg_(); });
  EXPECT_TRUE(throws_error([&] { run(kSvdquant, "out2", stats_); }, Errc::kInput,
                           {"transformer_blocks.0.attn.to_q", "negative diagonal"}));
  EXPECT_FALSE(fs::exists(dir_.file("out/quantization.json")));
}

TEST_F(Quantize, RefusesPatternsThatMatchNothing) {
  const std::string plan =
      "{plan: [{match: 'blocks.*', recipe: {scheme: int4}}, {match: '*', recipe: {scheme: bf16}}]}";
  EXPECT_TRUE(throws_error([&] { run(plan, "out", ""); }, Errc::kConfig, {"\"blocks.*\" matches no linear"}));
  EXPECT_TRUE(throws_error([&] { config("{scheme: int4}"); }, Errc::kConfig, {"`method` is missing"}));
  EXPECT_TRUE(throws_error([&] { config("{scheme: int4, methode: rtn}"); }, Errc::kConfig,
                           {"config.yaml", "methode", "nearest: `method`"}));
}

TEST_F(Quantize, DescribesWithoutWriting) {
  write_stats();
  const QuantizeOptions options{
      .model = model_, .statistics = stats_, .out = dir_.file("out"), .config = config(kSvdquant)};
  ::testing::internal::CaptureStdout();
  describe_quantize(options);
  const std::string text = ::testing::internal::GetCapturedStdout();
  for (const char* part : {"*blocks.*", "w4a16-int4-g64", "units", "memory  at most", "disk    at most"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
  EXPECT_FALSE(fs::exists(dir_.file("out")));
  QuantizeOptions wrong = options;
  wrong.config = config(
      "{plan: [{match: 'transformer_blocks.*', recipe: {scheme: int4}},"
      " {match: 'x.*', recipe: {scheme: int4}}]}");
  ::testing::internal::CaptureStdout();
  EXPECT_TRUE(throws_error([&] { describe_quantize(wrong); }, Errc::kConfig, {"1 patterns"}));
  const std::string names = ::testing::internal::GetCapturedStdout();
  for (const char* part :
       {"linears that no rule matches", "  x_embedder\n", "patterns that match", "  x.*\n"})
    EXPECT_NE(names.find(part), std::string::npos) << names;
}

TEST(MemoryPlan, IsSixTimesTheWeightsAndTwiceTheGram) {
  Graph graph;
  LinearSpec linear;
  linear.name = "a";
  linear.weight = at::zeros({1}).expand({3000, 1000});
  graph.linears.push_back(linear);
  LayerGroup group{.name = "a", .members = {0}, .branches = {{0}}};
  const CompressionJob job{.rule = nullptr, .shares = {{&group, {0}}}, .weights = 3'000'000};
  EXPECT_EQ(job_memory(graph, job, {}), 4 * 6 * 3'000'000);
  EXPECT_EQ(job_memory(graph, job, {.statistics = true}), 4 * 6 * 3'000'000 + 4 * 2 * 1'000'000);
  const MemoryPlan plan = plan_memory(graph, {job, job}, {.statistics = true, .threads = 2});
  EXPECT_EQ(plan.bytes(), 2 * job_memory(graph, job, {.statistics = true}) + (int64_t{1} << 30));
  LinearSpec huge = linear;
  huge.weight = at::zeros({1}).expand({int64_t{1} << 24, int64_t{1} << 16});
  graph.linears[0] = huge;
  const CompressionJob large{.rule = nullptr, .shares = {{&group, {0}}}, .weights = int64_t{1} << 40};
  EXPECT_TRUE(throws_error(
      [&] {
        plan_memory(graph, {large, large}, {.statistics = true, .threads = 2});
      },
      Errc::kResource, {"2 workers", "available", "--threads"}));
  EXPECT_EQ(plan_memory(graph, {large, large}, {.statistics = true}).workers, 1);
}

TEST(QuantizePlan, ADiskThatIsTooSmallIsKnownBeforeTheStart) {
  Graph graph;
  LinearSpec linear;
  linear.name = "a";
  linear.weight = at::zeros({1}).expand({int64_t{1} << 28, int64_t{1} << 16});
  graph.linears.push_back(linear);
  graph.groups.push_back({.name = "a", .members = {0}, .branches = {{0}}});
  QuantizePlan plan;
  plan.rules = {{.match = "*", .scheme = scheme_named("int4"), .recipe = parse_recipe(Value::map(), "")}};
  plan.rule_of = {0};
  plan.jobs = compression_jobs(graph, plan.rules, plan.rule_of);
  ASSERT_EQ(plan.jobs.size(), 1u);
  const int64_t codes = int64_t{1} << 43, scales = codes / 16;  // half a byte a code, 2 bytes for 64 of them
  EXPECT_GE(job_disk(graph, plan.jobs[0]), codes + scales);
  EXPECT_LE(job_disk(graph, plan.jobs[0]), codes + scales + 10000);
  const testing::TempDir dir;
  ::testing::internal::CaptureStdout();
  EXPECT_TRUE(throws_error([&] { print_plan(graph, plan, {}, "0", dir.file("out"), 1); }, Errc::kResource,
                           {dir.file("out"), "of disk", "are free"}));
  print_plan(graph, plan, {}, "1", dir.file("out"), 1);  // it is there already
  ::testing::internal::GetCapturedStdout();
}

TEST(CompressionJobs, AnUntiedGroupIsDividedWithoutChangingItsNames) {
  Graph graph;
  LayerGroup group{.name = "n0", .members = {}, .branches = {}};
  for (int i = 0; i < 5; ++i) {
    LinearSpec linear;
    linear.name = concat("n", i);
    linear.weight =
        at::zeros({1}).expand({int64_t{1} << 13, int64_t{1} << 12});  // half of kMostUntiedWeights
    graph.linears.push_back(linear);
    group.members.push_back(i);
    group.branches.push_back({i});
  }
  graph.groups.push_back(group);
  const auto jobs_of = [&](const char* yaml) {
    static Plan plan;
    plan = {
        {.match = "*", .scheme = scheme_named("int4"), .recipe = parse_recipe(parse_yaml(yaml, "t"), "")}};
    return compression_jobs(graph, plan, assign_rules(graph, plan));
  };
  EXPECT_EQ(jobs_of("preset: svd").size(), 1u);
  EXPECT_EQ(jobs_of("preset: smooth").size(), 1u);
  const auto jobs = jobs_of("preset: rtn");
  ASSERT_EQ(jobs.size(), 3u);
  std::vector<int> linears;
  for (const CompressionJob& job : jobs)
    for (const int linear : job.shares[0].linears) linears.push_back(linear);
  std::sort(linears.begin(), linears.end());
  EXPECT_EQ(linears, (std::vector<int>{0, 1, 2, 3, 4}));
}

}  // namespace
}  // namespace svdlab
