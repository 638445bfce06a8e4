// Recipes as a whole (compress_group, group_run): identities that must hold to the bit, and the order of
// methods on inputs with outlier channels.
#include "lowrank/compress_group.h"

#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::compress;
using testing::expect_close;
using testing::expect_identical;
using testing::OutlierGroup;
using testing::output_error;
using testing::throws_error;

void expect_same_linears(const GroupCompression& a, const GroupCompression& b) {
  ASSERT_EQ(a.linears.size(), b.linears.size());
  for (size_t i = 0; i < a.linears.size(); ++i) {
    const CompressedLinear &p = a.linears[i], &q = b.linears[i];
    EXPECT_EQ(p.name, q.name);
    expect_identical(p.low_bit()->weight.codes, q.low_bit()->weight.codes);
    expect_identical(p.low_bit()->weight.scales, q.low_bit()->weight.scales);
    ASSERT_EQ(p.low_rank() == nullptr, q.low_rank() == nullptr);
    if (p.low_rank()) expect_identical(p.low_rank()->up, q.low_rank()->up);
  }
}

struct Ordering {
  std::string scheme;
  double smoothing;  // at most this share of the plain error remains; powers of two as scales leave little to
                     // gain
  friend std::ostream& operator<<(std::ostream& out, const Ordering& o) { return out << o.scheme; }
};

class Orderings : public ::testing::TestWithParam<Ordering> {};

TEST_P(Orderings, EachStepLowersTheOutputError) {
  const OutlierGroup g("ordering", {96, 160}, 256, GetParam().scheme);
  const double rtn = output_error(g, "preset: rtn"), smooth = output_error(g, "preset: smooth-grid"),
               svdquant = output_error(g, "preset: svdquant"),
               iterated = output_error(g, "preset: svdquant-iterated");
  EXPECT_TRUE(smooth < GetParam().smoothing * rtn) << smooth << " " << rtn;
  EXPECT_TRUE(svdquant < 0.8 * smooth) << svdquant << " " << smooth;
  EXPECT_TRUE(iterated <= svdquant) << iterated << " " << svdquant;
  EXPECT_TRUE(output_error(g, "preset: svdquant-gptq") < svdquant);
}

TEST_P(Orderings, SearchedSmoothingIsAtLeastAsGoodAsEveryCandidate) {
  const OutlierGroup g("search", {96}, 256, GetParam().scheme);
  const double searched = output_error(g, "transform: {smooth: {grid: 4}}");
  EXPECT_TRUE(searched <= output_error(g, "{}") * (1 + 1e-6));
  for (const char* exponents : {"alpha: 0.25, beta: 0", "alpha: 0.5, beta: 0.5", "alpha: 0.75, beta: 0.25"})
    EXPECT_TRUE(searched <= output_error(g, concat("transform: {smooth: {", exponents, "}}")) * (1 + 1e-6))
        << exponents;
}

INSTANTIATE_TEST_SUITE_P(Formats, Orderings,
                         ::testing::Values(Ordering{"int4", 0.7}, Ordering{"nvfp4", 0.7},
                                           Ordering{"mxfp4", 0.97}),
                         [](const auto& info) { return info.param.scheme; });

TEST(CompressGroup, GptqLowersTheOutputErrorOfWeightOnlyQuantization) {
  const OutlierGroup g("weight-only", {96}, 256, "w4a16-int4-g64", /*tokens=*/1024);
  EXPECT_TRUE(output_error(g, "preset: gptq") < 0.95 * output_error(g, "preset: rtn"));
  const char* smooth = "transform: {smooth: {alpha: 0.4, beta: 0.2}}";
  EXPECT_TRUE(output_error(g, concat("{weights: gptq, ", smooth, "}")) <
              0.95 * output_error(g, concat("{", smooth, "}")));
}

TEST(CompressGroup, RankZeroIsSmoothingAlone) {
  const OutlierGroup g("rank-zero", {32, 64}, 128, "int4");
  expect_same_linears(compress(g.problem, "{preset: svdquant, low_rank: {rank: 0}}"),
                      compress(g.problem, "preset: smooth-grid"));
}

TEST(CompressGroup, FullRankIsSixteenBitToRounding) {
  const OutlierGroup g("full-rank", {64}, 128, "int4");
  const double relative = std::sqrt(output_error(g, "{preset: svd, low_rank: {rank: 64}}"));
  EXPECT_TRUE(relative < 2e-3) << relative;  // the residual is the bf16 rounding of the factors, then 4 bit
}

TEST(CompressGroup, SmoothingByOneIsNoSmoothing) {
  const OutlierGroup g("one", {64}, 128, "int4");
  const GroupCompression one = compress(g.problem, "{preset: svd, transform: {smooth: {alpha: 0, beta: 0}}}");
  const GroupCompression none = compress(g.problem, "preset: svd");
  expect_identical(one.linears[0].smooth, at::ones({128}));
  EXPECT_FALSE(none.linears[0].smooth.defined());
  expect_same_linears(one, none);
  EXPECT_EQ(one.log[0].round_errors, none.log[0].round_errors);
}

TEST(CompressGroup, PowersOfTwoScaleThrough) {
  OutlierGroup g("power", {64}, 128, "int4");
  const std::string smooth = "{preset: smooth, low_rank: {rank: 0}}";
  const GroupCompression a = compress(g.problem, smooth);
  g.problem.weights[0] = g.problem.weights[0] * 16;
  const GroupCompression b = compress(g.problem, smooth);
  expect_identical(b.linears[0].smooth * 4, a.linears[0].smooth);
  expect_identical(a.linears[0].low_bit()->weight.codes, b.linears[0].low_bit()->weight.codes);
  expect_identical(a.linears[0].effective_weight() * 16, b.linears[0].effective_weight());
  EXPECT_EQ(a.log[0].round_errors[0] * 256, b.log[0].round_errors[0]);
}

TEST(CompressGroup, LoggedErrorIsThatOfTheExecutor) {
  const OutlierGroup g("logged", {48, 80}, 128, "int4");
  for (const char* preset : {"rtn", "smooth", "svdquant", "lorc"}) {
    SCOPED_TRACE(preset);
    const GroupCompression c = compress(g.problem, concat("preset: ", preset));
    double total = 0;
    for (const Tensor& w : g.problem.weights)
      total += g.x.matmul(w.t()).to(at::kDouble).square().sum().item<double>();
    expect_close(c.log[0].round_errors[c.log[0].best_round], output_error(g, c) * total, 1e-4);
  }
}

TEST(CompressGroup, ShiftedInputsBehindGelu) {
  OutlierGroup g("gelu", {64}, 128, "int4");
  g.x = at::gelu(testing::random_tensor({256, 128}, "gelu") * 2, "tanh").to(at::kBFloat16).to(at::kFloat);
  g.stats = testing::stats_of(g.x);
  g.problem.segments = {{0, 128, Producer::kGelu}};
  const double shifted = output_error(g, "preset: svdquant");
  g.problem.segments = {{0, 128, Producer::kModulate}};
  const double plain = output_error(g, "preset: svdquant");
  EXPECT_TRUE(shifted < plain) << shifted << " " << plain;
}

TEST(CompressGroup, MembersOfABranchShareItsDownFactor) {
  OutlierGroup g("shared", {32, 32, 64}, 128, "int4");
  g.problem.branches = {{0, 1}, {2}};
  const GroupCompression c = compress(g.problem, "{preset: svd, low_rank: {rank: 4}}");
  const auto down = [&](int i) { return c.linears[i].low_rank()->down; };
  EXPECT_TRUE(down(0).is_same(down(1)));
  EXPECT_FALSE(at::equal(down(0), down(2)));
  EXPECT_EQ(c.linears[0].low_rank()->sharers, 2);
  EXPECT_EQ(c.linears[2].low_rank()->sharers, 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(c.linears[i].name, concat("shared.", i));
}

TEST(CompressGroup, TiedGroupsGetTheSameVectorAndTheirOwnBranch) {
  const OutlierGroup a("tied-a", {64}, 128, "int4"), b("tied-b", {32, 32}, 128, "int4");
  const std::vector<GroupProblem> both = {a.problem, b.problem};
  const GroupCompression c = compress_group(both, testing::recipe("preset: svdquant"), {});
  ASSERT_EQ(c.linears.size(), 3u);
  ASSERT_TRUE(c.linears[0].smooth.defined());
  expect_identical(c.linears[0].smooth, c.linears[1].smooth);
  expect_identical(c.linears[0].smooth, c.linears[2].smooth);
  EXPECT_FALSE(at::equal(c.linears[0].low_rank()->down, c.linears[1].low_rank()->down));
  EXPECT_EQ(c.log[0].group, "tied-a");
  EXPECT_EQ(c.log[2].linear, "tied-b.1");
}

TEST(CompressGroup, LogHoldsTheSearchWithTheFirstLinear) {
  const OutlierGroup g("searched", {48, 16}, 128, "int4");
  const GroupCompression c = compress(g.problem, "preset: svdquant");
  ASSERT_EQ(c.log[0].search.size(), 39u);
  EXPECT_TRUE(c.log[1].search.empty());
  int chosen = 0;
  double least = c.log[0].search[0].error, taken = 0;
  for (const SearchStep& s : c.log[0].search) {
    chosen += s.chosen;
    least = std::min(least, s.error);
    if (s.chosen) taken = s.error;
  }
  EXPECT_EQ(chosen, 1);
  EXPECT_EQ(taken, least);
  EXPECT_EQ(c.log[0].round_errors[0], taken) << "the final run is the search's winner once more";
  EXPECT_GT(c.log[0].search_seconds, 0);
  EXPECT_TRUE(compress(g.problem, "preset: smooth").log[0].search.empty());
}

TEST(CompressGroup, ThreadsInsideAGroupChangeNothing) {
  const OutlierGroup g("group-threads", {700, 96}, 128, "nvfp4");
  for (const char* preset : {"svdquant", "svdquant-full"}) {
    SCOPED_TRACE(preset);
    const auto run = [&](int threads) {
      return compress_group({&g.problem, 1}, testing::recipe(concat("preset: ", preset)),
                            {.group_threads = threads});
    };
    const GroupCompression one = run(1), three = run(3);
    expect_same_linears(one, three);
    EXPECT_EQ(one.log[0].round_errors, three.log[0].round_errors);
    for (size_t i = 0; i < 39; ++i) EXPECT_EQ(one.log[0].search[i].error, three.log[0].search[i].error);
  }
}

class SearchAxes : public ::testing::TestWithParam<std::string> {};

// Each axis on its own against the preset it changes one thing of.
TEST_P(SearchAxes, LowerTheOutputError) {
  const OutlierGroup g("axes", {96, 160}, 256, GetParam(), /*tokens=*/1024);
  const double iterated = output_error(g, "preset: svdquant-iterated"),
               gptq = output_error(g, "preset: svdquant-gptq");
  EXPECT_TRUE(output_error(g, "preset: svdquant-warm") < 1.01 * iterated);
  EXPECT_TRUE(output_error(g, "preset: svdquant-scales") < iterated);
  EXPECT_TRUE(output_error(g, "preset: svdquant-refit") < iterated);
  EXPECT_TRUE(output_error(g, "preset: svdquant-gptq-scales") < gptq);
  EXPECT_TRUE(output_error(g, "preset: svdquant-full") < gptq);
  EXPECT_TRUE(output_error(g, "preset: svdquant-closed-form") < output_error(g, "preset: svd"));
  EXPECT_TRUE(output_error(g, "preset: svdquant-awq-lite") < output_error(g, "preset: svd"));
  EXPECT_TRUE(output_error(g, "preset: scales") < output_error(g, "preset: rtn"));
}

INSTANTIATE_TEST_SUITE_P(Formats, SearchAxes, ::testing::Values("int4", "nvfp4"));

TEST(CompressGroup, LogHoldsTheBranchsEnergies) {
  const OutlierGroup g("energy", {64}, 128, "int4");
  const GroupCompression c = compress(g.problem, "{preset: svd, low_rank: {rank: 16}}");
  const CompressedLinear& l = c.linears[0];
  const Tensor rest = g.problem.weights[0] - l.low_rank()->up.matmul(l.low_rank()->down);
  EXPECT_GE(c.log[0].residual_energy, c.log[0].optimal_energy * (1 - 1e-6));
  EXPECT_LE(c.log[0].residual_energy, c.log[0].optimal_energy * 1.01);
  expect_close(c.log[0].residual_energy, rest.to(at::kDouble).square().sum().item<double>(), 1e-6);
  expect_close(c.log[0].total_energy, g.problem.weights[0].to(at::kDouble).square().sum().item<double>(),
               1e-9);
  EXPECT_EQ(c.log[0].rank, 16);
  EXPECT_EQ(c.log[0].method, "none+svdquant+rtn");
  EXPECT_EQ(c.log[0].scheme, "int4");
}

TEST(CompressGroup, StatisticsAreNeededOnlyWhereTheyAreUsed) {
  OutlierGroup g("no-stats", {64}, 128, "int4");
  g.problem.stats = nullptr;
  EXPECT_TRUE(compress(g.problem, "preset: svd").log[0].round_errors.empty());
  for (const auto& [preset, stage] :
       {std::pair("smooth", "transform smooth"),
        {"gptq", "weights gptq"},
        {"scales", "weights scale-search"},
        {"{preset: lorc, driver: {lorc: {refit: true}}}", "driver lorc"},
        {"{preset: svd, driver: {svdquant: {iterations: 2}}}", "driver svdquant"}}) {
    const std::string yaml = preset[0] == '{' ? preset : concat("preset: ", preset);
    EXPECT_TRUE(throws_error([&] { compress(g.problem, yaml); }, Errc::kConfig, {"no-stats", stage}));
  }
}

// From here on: each refusal that problem_checks.h promises.
TEST(CompressGroup, GroupSizesMustDivideEverySegment) {
  OutlierGroup g("segments", {64}, 192, "int4");
  g.problem.segments = {{0, 96, Producer::kAttention}, {96, 192, Producer::kGelu}};
  EXPECT_TRUE(throws_error(
      [&] { compress(g.problem, "preset: rtn"); }, Errc::kConfig,
      {"group size 64 does not divide K range [0,96) of segments.0", "divisors:", "32, 48, 96"}));
}

TEST(CompressGroup, RanksThatDoNotFitAreRefused) {
  const OutlierGroup g("rank", {32, 16}, 128, "int4");
  EXPECT_NO_THROW(compress(g.problem, "{preset: svd, low_rank: {rank: 48}}"));
  EXPECT_TRUE(throws_error([&] { compress(g.problem, "{preset: svd, low_rank: {rank: 49}}"); }, Errc::kConfig,
                           {"rank 49", "rank.0", "48 x 128"}));
}

TEST(CompressGroup, NonFiniteWeightsAreRefusedByTensorAndElement) {
  OutlierGroup g("nan", {32, 64}, 128, "int4");
  g.problem.weights[1][3][7] = std::numeric_limits<float>::quiet_NaN();
  g.problem.weights[1][9][0] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(throws_error([&] { compress(g.problem, "preset: svdquant"); }, Errc::kInput,
                           {"nan.1.weight(3, 7)", "nan", "first of 2"}));
}

TEST(CompressGroup, NonFiniteStatisticsAreRefusedByChannel) {
  OutlierGroup g("bad-stats", {32}, 128, "int4");
  g.stats.absmax[11] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(throws_error([&] { compress(g.problem, "preset: svdquant"); }, Errc::kInput,
                           {"bad-stats", "channel 11"}));
}

}  // namespace
}  // namespace svdlab
