#include "lowrank/timestep_ranges.h"

#include "core/io/compressed_file.h"
#include "core/ir/quantize.h"
#include "core/models/conditioning.h"
#include "core/models/model.h"
#include "core/runtime/executor.h"
#include "tests/core/io/compressed_unit_samples.h"
#include "tests/lowrank/problems.h"
#include "tests/support/random_model.h"

namespace svdlab {
namespace {

using testing::compress;
using testing::expect_close;
using testing::expect_identical;
using testing::OutlierGroup;
using testing::throws_error;

constexpr int64_t kChannels = 128;

// Inputs whose outlier channels move with the timestep: up to 0.5 some, then others.
struct MovingOutliers : OutlierGroup {
  explicit MovingOutliers(int count = 2) : OutlierGroup("moving", {48, 32}, kChannels, "int4") {
    early = x;
    late = x.roll(11, 1) * 0.25;
    stats = testing::stats_of(at::cat({early, late}));
    if (count == 1)
      stats.ranges = {{1.0, stats}};
    else
      stats.ranges = {{0.5, testing::stats_of(early)}, {1.0, testing::stats_of(late)}};
  }
  Tensor tokens(size_t range) const { return range == 0 ? early : late; }
  // Squared output error of the range's tokens, over all linears.
  double error(const GroupCompression& c, size_t range) const {
    double sum = 0;
    for (size_t i = 0; i < c.linears.size(); ++i) {
      const Tensor y =
          run_compressed(c.linears[i], tokens(range), Execution::kDequantized, range == 0 ? 0.2 : 0.8);
      sum += (y - tokens(range).matmul(problem.weights[i].t())).square().sum(at::kDouble).item<double>();
    }
    return sum;
  }

  Tensor early, late;
};

void expect_same(const CompressedLinear& a, const CompressedLinear& b) {
  expect_identical(a.low_bit()->weight.codes, b.low_bit()->weight.codes);
  expect_identical(a.low_bit()->weight.scales, b.low_bit()->weight.scales);
  expect_identical(a.smooth, b.smooth);
  EXPECT_EQ(a.bits(), b.bits());
}

TEST(TimestepRanges, OneRangeIsTheMethodItself) {
  const MovingOutliers g(1);
  for (const char* preset : {"smooth", "svdquant"}) {
    const GroupCompression plain = compress(g.problem, concat("preset: ", preset)),
                           ranges = compress(g.problem, concat("{preset: ", preset, ", timesteps: ranges}"));
    ASSERT_EQ(ranges.linears.size(), plain.linears.size());
    for (size_t i = 0; i < plain.linears.size(); ++i) {
      ASSERT_EQ(ranges.linears[i].ranges.size(), 1u);
      EXPECT_EQ(ranges.linears[i].name, plain.linears[i].name);
      expect_same(ranges.linears[i].ranges[0].linear, plain.linears[i]);
      for (const Execution execution : {Execution::kDequantized, Execution::kCodes})
        expect_identical(run_compressed(ranges.linears[i], g.x, execution, 0.3),
                         run_compressed(plain.linears[i], g.x, execution));
      EXPECT_EQ(ranges.linears[i].bits(), plain.linears[i].bits());
      EXPECT_EQ(ranges.log[i].residual_energy, plain.log[i].residual_energy);
      EXPECT_EQ(ranges.log[i].search.size(), plain.log[i].search.size());
    }
  }
}

TEST(TimestepRanges, TheProductOfSixteenBitIsKeptInEveryRange) {
  const MovingOutliers g;
  for (const CompressedLinear& linear : compress(g.problem, "preset: vidit-q").linears)
    for (const TimestepVariant& range : linear.ranges) {
      const OnlineTransform online = range.linear.online();
      ASSERT_TRUE(online.smooth.defined());
      for (const Tensor& w : g.problem.weights)
        expect_close(online.apply_linear(g.x.to(at::kDouble)).matmul(online.weight(w.to(at::kDouble)).t()),
                     g.x.to(at::kDouble).matmul(w.to(at::kDouble).t()), 1e-13);
    }
}

TEST(TimestepRanges, EveryRangeErrsLessThanUnderOneSmoothingForAll) {
  const MovingOutliers g;
  for (const char* exponents : {"{alpha: 0.5, beta: 0.5}", "{grid: 10}"}) {
    const std::string smooth = concat("transform: {smooth: ", exponents, "}");
    const GroupCompression one = compress(g.problem, smooth),
                           ranges = compress(g.problem, concat("{", smooth, ", timesteps: ranges}"));
    for (const size_t range : {0, 1})
      EXPECT_LT(g.error(ranges, range), g.error(one, range)) << exponents << ", range " << range;
  }
}

TEST(TimestepRanges, AllVariantsAreStorage) {
  const MovingOutliers g;
  const CompressedLinear linear = compress(g.problem, "{preset: svdquant, timesteps: ranges}").linears[0];
  ASSERT_EQ(linear.ranges.size(), 2u);
  EXPECT_EQ(linear.bits(), linear.ranges[0].linear.bits() + linear.ranges[1].linear.bits());
  EXPECT_EQ(linear.out_features(), 48);
  EXPECT_EQ(linear.in_features(), kChannels);
  EXPECT_GT(linear.bits_per_weight(), 2 * 4.25);
}

TEST(TimestepRanges, TheTimestepPicksTheVariantAndThereMustBeOne) {
  const MovingOutliers g;
  const CompressedLinear linear = compress(g.problem, "preset: vidit-q").linears[0];
  const auto run = [&](std::optional<double> t) { return run_compressed(linear, g.x, Execution::kCodes, t); };
  const Tensor first = run_compressed(linear.ranges[0].linear, g.x, Execution::kCodes),
               last = run_compressed(linear.ranges[1].linear, g.x, Execution::kCodes);
  EXPECT_FALSE(first.equal(last));
  for (const double t : {0.0, 0.5}) expect_identical(run(t), first);
  for (const double t : {0.500001, 1.0, 7.0}) expect_identical(run(t), last);
  EXPECT_TRUE(throws_error([&] { run({}); }, Errc::kConfig, {"moving.0", "2 ranges", "timestep"}));
  EXPECT_TRUE(throws_error([&] { linear.effective_weight(); }, Errc::kConfig, {"moving.0", "2 weights"}));
}

TEST(TimestepRanges, TheExecutorTakesTheGraphsTimestep) {
  const testing::TempDir folder;
  testing::write_random_model(folder.path());
  const Model model = load_model(folder.path());
  const Conditioning conditioning = load_conditioning(folder.path());
  const std::string name = "single_transformer_blocks.0.proj_out";
  const LinearSpec& spec = model.graph.linears[model.graph.linear_index(name)];
  const auto variant = [&](double factor) {
    CompressedLinear linear{.name = name};
    linear.branches.push_back(LowBitBranch{
        quantize(spec.weight.to(at::kFloat) * factor, *scheme_named("w8a8").weights), {}, spec.segments});
    return linear;
  };
  CompressedModel early, late, both;
  early.linears[name] = variant(1);
  late.linears[name] = variant(2);
  both.linears[name] = {.name = name};
  both.linears[name].ranges = {{0.5, variant(1)}, {1.0, variant(2)}};
  const auto run = [&](const CompressedModel& compressed, double t) {
    constexpr int64_t kTokens = 64;
    NamedTensors inputs;
    inputs["hidden_states"] = testing::random_tensor(
        {1, kTokens, static_cast<int64_t>(model.graph.facts.at("in_channels"))}, "executor-x");
    inputs["encoder_hidden_states"] = conditioning.tokens.slice(0, 0, 1);
    inputs["pooled_projections"] = conditioning.pooled.slice(0, 0, 1);
    inputs["timestep"] = at::full({1}, t);
    inputs["img_ids"] = at::zeros({kTokens, 3});
    inputs["txt_ids"] = at::zeros({conditioning.tokens.size(1), 3});
    return Executor(model.graph, {.compressed = &compressed}).run(inputs);
  };
  expect_identical(run(both, 0.25), run(early, 0.25));
  expect_identical(run(both, 0.75), run(late, 0.75));
  EXPECT_FALSE(run(both, 0.75).equal(run(early, 0.75)));
}

TEST(TimestepRanges, BiasesGoIntoEveryVariant) {
  MovingOutliers g;
  const GroupCompression c = compress(g.problem, "{transform: {noisy: {range: 0.5}}, timesteps: ranges}");
  for (const TimestepVariant& range : c.linears[0].ranges) EXPECT_TRUE(range.linear.bias.defined());
  EXPECT_FALSE(c.linears[0].bias.defined());
}

TEST(TimestepRanges, FilesGiveBackEveryVariant) {
  const MovingOutliers g;
  const GroupCompression c = compress(g.problem, "{preset: svdquant, timesteps: ranges}");
  const testing::TempDir dir;
  CompressedUnit unit;
  for (const CompressedLinear& linear : c.linears) unit.push_back({linear, "moving", "int4", "test"});
  write_compressed_index(dir.path(), {.fingerprint = "f00d"},
                         {write_compressed_group(dir.path(), unit, "f00d")});
  const CompressedFolder folder(dir.path());
  for (const CompressedLinear& linear : c.linears) {
    const CompressedLinear back = folder.load(linear.name);
    EXPECT_EQ(folder.linear(linear.name).bits(), linear.bits());
    ASSERT_EQ(back.ranges.size(), 2u);
    for (const size_t i : {0, 1}) {
      EXPECT_EQ(back.ranges[i].upper, linear.ranges[i].upper);
      testing::expect_identical_linears(back.ranges[i].linear, linear.ranges[i].linear);
    }
  }
}

TEST(TimestepRanges, RefusesStatisticsWithoutRanges) {
  MovingOutliers g;
  g.stats.ranges.clear();
  EXPECT_TRUE(throws_error([&] { compress(g.problem, "preset: vidit-q"); }, Errc::kConfig,
                           {"moving", "time_ranges"}));
  g.problem.stats = nullptr;
  EXPECT_TRUE(throws_error([&] { compress(g.problem, "preset: vidit-q"); }, Errc::kConfig, {"time_ranges"}));
  EXPECT_TRUE(throws_error([&] { compress(g.problem, "{timesteps: some}"); }, Errc::kConfig,
                           {"timesteps", "ranges or all", "some"}));
}

}  // namespace
}  // namespace svdlab
