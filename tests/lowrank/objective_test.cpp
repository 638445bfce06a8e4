// Every registered objective, then recipes with one: what must be equal and what must be smaller.
#include "lowrank/objective.h"

#include "lowrank/weighted.h"
#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::compress;
using testing::expect_close;
using testing::expect_identical;
using testing::OutlierGroup;
using testing::output_error;
using testing::throws_error;

std::unique_ptr<LowRankObjective> objective(const std::string& name, const std::string& yaml = "{}") {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "objective");
  auto made = low_rank_objectives().at(name)(fields);
  fields.finish();
  return made;
}

std::unique_ptr<LowRankSolver> solver(const std::string& name) {
  const Value none = Value::map();
  Fields fields(none, "low_rank");
  return low_rank_solvers().at(name)(fields);
}

Tensor example_gram(int64_t tokens) {
  const Tensor x = testing::outlier_inputs(tokens, 64, "objective").to(at::kDouble);
  return x.t().matmul(x);
}

// All an objective may know of a 96 x 64 matrix.
ObjectiveFacts example_facts(int64_t tokens) {
  return {.gram = example_gram(tokens),
          .fisher_rows = testing::random_tensor({96}, "objective-rows").to(at::kDouble).square(),
          .fisher_cols = testing::random_tensor({64}, "objective-cols").to(at::kDouble).square()};
}

class ObjectiveContract : public ::testing::TestWithParam<std::string> {};

TEST_P(ObjectiveContract, WeightsFitTheMatrixAndAreFinite) {
  for (const int64_t tokens : {200, 10}) {
    const auto made = objective(GetParam());
    ObjectiveFacts facts = example_facts(tokens);
    if (!made->needs_gram()) facts.gram = Tensor();
    if (!made->needs_fisher()) facts.fisher_rows = facts.fisher_cols = Tensor();
    const NormWeights w = made->weights(facts);
    ASSERT_EQ(w.rows.defined() || w.cols.defined(), made->needs_gram() || made->needs_fisher());
    for (const auto& [weight, size] : {std::pair(w.rows, 96), std::pair(w.cols, 64)}) {
      if (!weight.defined()) continue;
      EXPECT_EQ(weight.size(0), size);
      EXPECT_EQ(weight.size(-1), size);
      EXPECT_TRUE(weight.isfinite().all().item<bool>());
    }
  }
}

TEST_P(ObjectiveContract, UncorrelatedEqualChannelsAreThePlainNorm) {
  const auto made = objective(GetParam());
  const Tensor m = testing::realistic_weight(96, 64, "objective");
  const auto inner = solver("full");
  const NormWeights w = made->weights({.gram = at::eye(64, at::kDouble) * 7,
                                       .fisher_rows = at::ones({96}, at::kDouble) * 3e-9,
                                       .fisher_cols = at::ones({64}, at::kDouble) * 3e-9});
  const LowRankFactors f = WeightedSolver(*inner, w).solve(m, 8), plain = inner->solve(m, 8);
  expect_close(f.up.matmul(f.down), plain.up.matmul(plain.down), 2e-6);
}

TEST_P(ObjectiveContract, WorksInEveryDriverThatMakesABranch) {
  const OutlierGroup g("objective", {64, 32}, 128, "int4");
  for (const char* driver : {"svdquant", "lorc"}) {
    const std::string yaml =
        concat("{driver: ", driver, ", low_rank: {rank: 8, objective: ", GetParam(), "}}");
    const GroupCompression a = compress(g.problem, yaml), b = compress(g.problem, yaml);
    ASSERT_NE(a.linears[0].low_rank(), nullptr);
    expect_identical(a.linears[0].low_rank()->up, b.linears[0].low_rank()->up);
    EXPECT_TRUE(output_error(g, a) < output_error(g, "preset: rtn")) << driver;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ObjectiveContract, ::testing::ValuesIn(low_rank_objectives().names()));

TEST(PlainObjective, NamedOrNotTheFactorsAreTheSolversOwn) {
  const OutlierGroup g("plain", {64, 32}, 128, "int4");
  const GroupCompression c = compress(g.problem, "{preset: svd, low_rank: {objective: plain}}");
  const auto inner = solver("randomized");
  const LowRankFactors f = inner->solve(at::cat(g.problem.weights), 8);
  expect_identical(c.linears[0].low_rank()->down, f.down.to(at::kBFloat16).to(at::kFloat));
  expect_identical(c.linears[1].low_rank()->up, f.up.slice(0, 64).to(at::kBFloat16).to(at::kFloat));
}

TEST(DiagonalObjective, WeighsByRootMeanSquareAlone) {
  const Tensor gram = example_gram(200);
  expect_identical(objective("diagonal")->weights({.gram = gram}).cols, gram.diagonal().sqrt());
}

TEST(WhitenedObjective, DampingIsAnOptionWithLimits) {
  const Tensor gram = example_gram(200);
  expect_identical(objective("whitened", "{damping: 0.01}")->weights({.gram = gram}).cols,
                   gram_root(gram, 0.01));
  for (const char* bad : {"0", "-1", "2", "nan"})
    EXPECT_TRUE(throws_error([&] { objective("whitened", concat("{damping: ", bad, "}")); }, Errc::kConfig,
                             {"damping"}))
        << bad;
}

// tr(E G E^T) of what the 16-bit input sees of the weights' error, before activations are quantized.
double gram_norm(const OutlierGroup& g, const GroupCompression& c, bool with_low_bit) {
  double sum = 0;
  for (size_t i = 0; i < c.linears.size(); ++i) {
    const CompressedLinear& l = c.linears[i];
    Tensor w = l.low_rank()->up.matmul(l.low_rank()->down);
    if (with_low_bit) w = w + dequantize(l.low_bit()->weight);
    if (l.smooth.defined()) w = w / l.smooth;
    sum += g.x.to(at::kDouble)
               .matmul((g.problem.weights[i] - w).to(at::kDouble).t())
               .square()
               .sum()
               .item<double>();
  }
  return sum;
}

class ObjectiveOrder : public ::testing::TestWithParam<std::string> {};

TEST_P(ObjectiveOrder, WhitenedErrorFitHasTheSmallerOutputError) {
  const OutlierGroup g("eora", {96, 160}, 256, GetParam());
  const double lorc = gram_norm(g, compress(g.problem, "preset: lorc"), true),
               eora = gram_norm(g, compress(g.problem, "preset: eora"), true);
  RecordProperty("eora_over_lorc", std::to_string(eora / lorc));
  EXPECT_TRUE(eora < 0.9 * lorc) << eora / lorc;
  EXPECT_TRUE(output_error(g, "preset: eora") < output_error(g, "preset: lorc"));
}

TEST_P(ObjectiveOrder, WhitenedBranchLeavesTheSmallerOutputToTheLowBitPart) {
  const OutlierGroup g("svdquant-h", {96, 160}, 256, GetParam());
  for (const char* transform : {"none", "{smooth: {alpha: 0.5, beta: 0.5}}", "{smooth: {grid: 20}}"}) {
    const auto left = [&](const std::string& objective) {
      return gram_norm(g,
                       compress(g.problem, concat("{preset: svd, transform: ", transform,
                                                  ", low_rank: {objective: ", objective, "}}")),
                       false);
    };
    const double plain = left("plain"), diagonal = left("diagonal"), whitened = left("whitened");
    EXPECT_TRUE(whitened <= plain * (1 + 1e-3)) << transform << ": " << whitened / plain;
    EXPECT_TRUE(whitened <= diagonal * (1 + 1e-3)) << transform << ": " << whitened / diagonal;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, ObjectiveOrder, ::testing::Values("int4", "nvfp4", "mxfp4"));

TEST(ObjectivePresets, SvdquantHIsSvdquantIteratedInTheOtherNorm) {
  const Recipe h = testing::recipe("preset: svdquant-h"),
               plain = testing::recipe("preset: svdquant-iterated");
  EXPECT_EQ(h.objective, "whitened");
  Recipe same = h;
  same.objective = "plain";
  EXPECT_EQ(same.to_value().canonical_json(), plain.to_value().canonical_json());
  EXPECT_EQ(testing::recipe("preset: eora").driver, "lorc");
}

TEST(ObjectiveRecipe, StatisticsAreNeededForABranchOnly) {
  OutlierGroup g("no-stats", {64}, 128, "int4");
  g.problem.stats = nullptr;
  EXPECT_TRUE(throws_error([&] { compress(g.problem, "preset: eora"); }, Errc::kConfig,
                           {"no-stats", "low_rank.objective whitened", "calibrat"}));
  EXPECT_NO_THROW(compress(g.problem, "{preset: eora, low_rank: {rank: 0}}"));
}

TEST(ObjectiveRecipe, LogNamesTheObjective) {
  const OutlierGroup g("log", {64}, 128, "int4");
  EXPECT_EQ(compress(g.problem, "preset: eora").log[0].method, "none+lorc:whitened+rtn");
  EXPECT_EQ(compress(g.problem, "preset: lorc").log[0].method, "none+lorc+rtn");
}

}  // namespace
}  // namespace svdlab
