// Single weights in 16 bit: the branch, and what chooses them (SpqrImportance, GradientImportance,
// MagnitudeImportance, RandomImportance).
#include "quant/weight_importance.h"
#include "tests/quant/weight_problems.h"

namespace svdlab {
namespace {

using testing::compress;
using testing::embedded_linears;
using testing::EmbeddedGroup;
using testing::expect_close;
using testing::expect_identical;
using testing::OutlierGroup;
using testing::output_error;
using testing::recipe;
using testing::throws_error;

constexpr const char* kGptq = "weights: {gptq: {grid: bilevel}}";

std::string spqr(double tau) { return concat("{", kGptq, ", branch: {sparse: {by: spqr, tau: ", tau, "}}}"); }
std::string kept(const std::string& by, double share, const std::string& weights = "rtn") {
  return concat("{weights: ", weights, ", branch: {sparse: {by: ", by, ", share: ", share, "}}}");
}

// Weights with heavy tails, for which single weights matter, and gradients of a loss that all outputs weigh
// on alike.
struct HeavyGroup : OutlierGroup {
  explicit HeavyGroup(const std::string& scheme, int64_t rows = 96)
      : OutlierGroup("heavy", {rows}, 256, scheme, /*tokens=*/512) {
    problem.weights[0] =
        (testing::student_tensor({rows, 256}, "heavy-w") * 0.02).to(at::kBFloat16).to(at::kFloat);
    WeightFisher& fisher = stats.fisher[problem.linear_names[0]] = {};
    for (int64_t i = 0; i < 8; ++i) {
      const Tensor e = testing::random_tensor({64, rows}, concat("heavy-e", i));
      fisher.add(e.t().matmul(x.slice(0, 64 * i, 64 * (i + 1))), /*keep_full=*/true);
    }
  }
};

const SparseBranch* sparse_of(const CompressedLinear& linear) {
  for (const Branch& b : linear.branches)
    if (const auto* found = std::get_if<SparseBranch>(&b)) return found;
  return nullptr;
}

double share_of(const GroupCompression& c) {
  const SparseBranch* b = sparse_of(c.linears[0]);
  const LowBitBranch* low = c.linears[0].low_bit();
  return b ? static_cast<double>(b->values.numel()) / static_cast<double>(low->weight.codes.numel()) : 0;
}

TEST(SparseBranch, WhatIsTakenAndWhatIsLeftAreTheWeight) {
  for (const std::string& by : weight_importances().names()) {
    SCOPED_TRACE(by);
    const HeavyGroup g("int4");
    const Recipe r = recipe(kept(by, 0.05));
    const Stages stages = make_stages(r, "");
    const TakenOut taken = stages.branch->take(g.problem, *stages.weights);
    ASSERT_EQ(taken.branches.size(), 1u);
    CompressedLinear alone{.name = "alone"};
    const auto& branch = std::get<SparseBranch>(taken.branches[0]);
    EXPECT_EQ(branch.values.numel(), std::llround(0.05 * 96 * 256));
    const Tensor dense = at::zeros({96, 256});
    for (int64_t n = 0; n < 96; ++n)
      for (int64_t i = branch.starts[n].item<int64_t>(); i < branch.starts[n + 1].item<int64_t>(); ++i)
        dense[n][branch.columns[i].item<int64_t>()] = branch.values[i];
    expect_identical(dense + taken.rest[0], g.problem.weights[0]);
    EXPECT_EQ((taken.rest[0] == 0).sum().item<int64_t>(),
              (g.problem.weights[0] == 0).sum().item<int64_t>() + branch.values.numel());
  }
}

TEST(SparseBranch, CodesRunAsDecodedAndRowsAsTheDenseMatrix) {
  for (const char* scheme : {"int4", "nvfp4", "w4a16-int4-g64"})
    for (const char* preset : {"rtn", "svdquant"}) {
      SCOPED_TRACE(concat(scheme, " ", preset));
      const HeavyGroup g(scheme, 48);
      const auto c = compress(g.problem, concat("{preset: ", preset, ", branch: {sparse: {share: 0.02}}}"));
      testing::expect_codes_run_as_decoded(g, c);
      CompressedLinear with = c.linears[0], without = with;
      without.branches.pop_back();
      const Tensor sparse = with.effective_weight() - without.effective_weight();
      expect_close(run_compressed(with, g.x, Execution::kDequantized) -
                       run_compressed(without, g.x, Execution::kDequantized),
                   g.x.matmul(sparse.t()), 1e-4);
      const double n = std::round(0.02 * 48 * 256);
      EXPECT_EQ(with.bits() - without.bits(), 32 * n + 32 * 49);
    }
}

TEST(SparseBranch, EverythingKeptIsExact) {
  const HeavyGroup g("w4a16-int4-g64");
  for (const char* by : {"magnitude", "gradient"}) EXPECT_TRUE(output_error(g, kept(by, 1)) < 1e-11) << by;
}

TEST(SparseBranch, NothingKeptIsThePlainRecipeToTheBit) {
  const HeavyGroup g("int4");
  const auto plain = compress(g.problem, "preset: svdquant"),
             none = compress(g.problem, "{preset: svdquant, branch: {sparse: {share: 0}}}");
  EXPECT_EQ(none.linears[0].branches.size(), plain.linears[0].branches.size());
  expect_identical(none.linears[0].effective_weight(), plain.linears[0].effective_weight());
  const auto gptq = compress(g.problem, kGptq), far = compress(g.problem, spqr(1e30));
  EXPECT_EQ(far.linears[0].branches.size(), 1u);
  expect_identical(far.linears[0].low_bit()->weight.codes, gptq.linears[0].low_bit()->weight.codes);
  expect_identical(far.linears[0].low_bit()->weight.scales, gptq.linears[0].low_bit()->weight.scales);
}

// Row 24's claim: RTN > GPTQ > SpQR with about one weight in a hundred kept.
TEST(SpqrImportance, FewOutliersImproveOnGptq) {
  const HeavyGroup g("w4a16-int4-g64");
  const double rtn = output_error(g, "weights: bilevel"), gptq = output_error(g, kGptq);
  const auto c = compress(g.problem, spqr(0.2));
  const double with = output_error(g, c), share = share_of(c);
  std::printf("3 bits: rtn %.4f, gptq %.4f, spqr %.4f with %.2f %% kept\n", std::sqrt(rtn), std::sqrt(gptq),
              std::sqrt(with), 100 * share);
  EXPECT_TRUE(gptq < 0.9 * rtn) << gptq << " " << rtn;
  EXPECT_TRUE(with < 0.8 * gptq) << with << " " << gptq;
  EXPECT_TRUE(share > 0.001 && share < 0.05) << share;
}

TEST(SpqrImportance, ErrorFallsWithTheShareAndFasterThanByChance) {
  const HeavyGroup g("w4a16-int4-g64");
  double before = std::numeric_limits<double>::infinity();
  for (const double share : {0.0, 0.005, 0.01, 0.03, 0.1}) {
    const double now = output_error(g, kept("spqr", share, "bilevel"));
    EXPECT_TRUE(now < before) << share << ": " << now << " " << before;
    before = now;
  }
  EXPECT_TRUE(output_error(g, kept("spqr", 0.01, "bilevel")) <
              0.8 * output_error(g, kept("random", 0.01, "bilevel")));
}

TEST(SpqrImportance, ALowerThresholdKeepsMore) {
  const HeavyGroup g("w4a16-int4-g64");
  double before = 0;
  for (const double tau : {2.0, 0.5, 0.2, 0.05}) {
    const double now = share_of(compress(g.problem, spqr(tau)));
    EXPECT_TRUE(now > before) << tau << ": " << now << " " << before;
    before = now;
  }
}

// The definition, weight by weight, in a matrix of one group: everything else is rounded again without it.
TEST(SpqrImportance, IsTheErrorThatLeavingOutSaves) {
  const OutlierGroup g("one-group", {3}, 16, "w4a16-int4-g64", /*tokens=*/64);
  const auto grid = testing::weights("bilevel", "{scale_bits: 8}");
  const Value options = parse_yaml("{damping: 0.02}", "test");
  Fields fields(options, "");
  const auto importance = weight_importances().at("spqr")(fields)->of(g.problem, *grid);
  Tensor h = g.stats.gram + at::eye(16, at::kDouble) * (0.02 * g.stats.gram.diagonal().mean());
  const Tensor weight = at::linalg_inv(h).diagonal().reciprocal();
  const Tensor& w = g.problem.weights[0];
  const auto error = [&](const Tensor& m, int64_t row, int64_t skipped) {
    Tensor e = (m - dequantize(grid->quantize(m, {}, {})))[row].to(at::kDouble).square() * weight;
    if (skipped >= 0) e[skipped] = 0;
    return e.sum().item<double>();
  };
  const double typical = (w.to(at::kDouble).var(0, false) * weight).mean().item<double>();
  for (int64_t r = 0; r < 3; ++r)
    for (int64_t c = 0; c < 16; ++c) {
      Tensor left = w.clone();
      left.select(1, c).zero_();
      const double saved = std::max(0.0, error(w, r, -1) - error(left, r, c)) / typical;
      EXPECT_NEAR(importance[0][r][c].item<double>(), saved, 1e-6 * (1 + saved));
    }
}

TEST(SpqrImportance, OnTheEmbeddedModelsLayers) {
  for (const LinearSpec& linear : embedded_linears()) {
    const EmbeddedGroup g(linear, "w4a16-int4-g64");
    const double gptq = output_error(g, kGptq);
    const auto c = compress(g.problem, spqr(0.2));
    const double with = output_error(g, c);
    std::printf("%s: gptq %.4f, spqr %.4f with %.2f %% kept\n", linear.name.c_str(), std::sqrt(gptq),
                std::sqrt(with), 100 * share_of(c));
    EXPECT_TRUE(with <= gptq) << linear.name;
  }
}

// Row 48: by gradients <= by magnitude <= by chance at one weight in a hundred, 3 bits in groups of 16.
TEST(GradientImportance, ChoosesBetterThanMagnitudeAndThatThanChance) {
  const HeavyGroup g("w4a16-int4-g64");
  const double gradient = output_error(g, kept("gradient", 0.01, "bilevel")),
               magnitude = output_error(g, kept("magnitude", 0.01, "bilevel")),
               chance = output_error(g, kept("random", 0.01, "bilevel"));
  EXPECT_TRUE(gradient < magnitude) << gradient << " " << magnitude;
  EXPECT_TRUE(magnitude < chance) << magnitude << " " << chance;
}

TEST(GradientImportance, NeedsGradients) {
  HeavyGroup g("int4");
  g.stats.fisher.clear();
  EXPECT_TRUE(throws_error([&] { compress(g.problem, "preset: gwq"); }, Errc::kConfig,
                           {"branch sparse", "gradients", "--fisher-full heavy"}));
}

TEST(RandomImportance, DependsOnTheSeedAlone) {
  const HeavyGroup g("int4");
  const auto columns = [&](const char* seed) {
    const auto c = compress(g.problem, concat("branch: {sparse: {by: random, seed: ", seed, "}}"));
    return sparse_of(c.linears[0])->columns;
  };
  expect_identical(columns("3"), columns("3"));
  EXPECT_FALSE(columns("3").equal(columns("4")));
}

TEST(SparseBranch, SvdquantBesideItIsBetterThanEitherAlone) {
  const HeavyGroup g("int4");
  const double both = output_error(g, "preset: svdquant-sparse"), sparse = output_error(g, "preset: sparse"),
               svdquant = output_error(g, "preset: svdquant-iterated");
  EXPECT_TRUE(both < sparse) << both << " " << sparse;
  EXPECT_TRUE(both < svdquant) << both << " " << svdquant;
}

TEST(SparseBranch, RefusesWhatMakesNoSense) {
  const auto refuses = [](const std::string& options, const std::vector<std::string>& parts) {
    return throws_error([&] { recipe("branch: {sparse: " + options + "}"); }, Errc::kConfig, parts);
  };
  EXPECT_TRUE(refuses("{by: size}", {"size", "nearest"}));
  EXPECT_TRUE(refuses("{share: 1.5}", {"share", "1.5"}));
  EXPECT_TRUE(refuses("{by: spqr, tau: 0.2, share: 0.01}", {"tau", "share", "give one"}));
  EXPECT_TRUE(refuses("{by: gradient, tau: 0.2}", {"tau", "gradient", "share"}));
  EXPECT_TRUE(refuses("{by: magnitude, seed: 1}", {"seed"}));
  const HeavyGroup g("w8a8");
  EXPECT_TRUE(throws_error([&] { compress(g.problem, kept("spqr", 0.01)); }, Errc::kConfig,
                           {"one scale for a row", "bilevel"}));
}

}  // namespace
}  // namespace svdlab
