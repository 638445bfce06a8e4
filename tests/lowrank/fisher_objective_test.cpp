// FWSVD and LQ-LoRA: what gradients change in the branch, on matrices and in recipes.
#include "lowrank/factors.h"
#include "lowrank/fisher_facts.h"
#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::compress;
using testing::expect_close;
using testing::expect_identical;
using testing::OutlierGroup;
using testing::output_error;
using testing::random_tensor;
using testing::throws_error;

std::unique_ptr<LowRankObjective> objective(const std::string& name, const std::string& yaml = "{}") {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "objective");
  auto made = low_rank_objectives().at(name)(fields);
  fields.finish();
  return made;
}

std::unique_ptr<LowRankSolver> full_solver() {
  const Value none = Value::map();
  Fields fields(none, "low_rank");
  return low_rank_solvers().at("full")(fields);
}

ObjectiveFacts facts_of(const Tensor& fisher) {
  return {.fisher_rows = fisher.mean(1), .fisher_cols = fisher.mean(0)};
}

// Weights and E[g^2] of one shape; rows and columns of the latter lie far apart.
struct Case {
  std::string name;
  Tensor w, fisher;
};

std::vector<Case> cases() {
  const auto fisher = [](int64_t rows, int64_t cols, double decades) {
    const Tensor r = at::logspace(-decades, decades, rows, 10.0, at::kDouble).unsqueeze(1),
                 c = at::logspace(decades, -decades, cols, 10.0, at::kDouble).unsqueeze(0);
    return r * c * random_tensor({rows, cols}, "fisher-cases").to(at::kDouble).square();
  };
  Tensor dead = fisher(48, 32, 1);
  dead.slice(0, 5, 20).zero_();
  dead.select(1, 3).zero_();
  Tensor outlier = testing::realistic_weight(48, 32, "outlier").clone();
  outlier[7][9] = 30;
  return {{"mild", testing::realistic_weight(48, 32, "mild"), fisher(48, 32, 0.5)},
          {"far", testing::realistic_weight(48, 32, "far"), fisher(48, 32, 2)},
          {"wide", testing::realistic_weight(24, 80, "wide"), fisher(24, 80, 1)},
          {"dead_rows_and_columns", testing::realistic_weight(48, 32, "dead"), dead},
          {"outlier", outlier, fisher(48, 32, 1)},
          {"zero_weight", at::zeros({48, 32}), fisher(48, 32, 1)},
          {"tiny_gradients", testing::realistic_weight(48, 32, "tiny"), fisher(48, 32, 1) * 1e-40}};
}

double plain_energy(const Tensor& w, const LowRankFactors& f) {
  return energy(w.to(at::kDouble) - f.up.to(at::kDouble).matmul(f.down.to(at::kDouble)));
}

// The property of the papers, at every rank: in its own norm the weighted branch is no worse than the plain
// one, in the plain norm no better.
TEST(FisherObjectives, EachBranchIsTheBestInItsOwnNormAtEveryRank) {
  const auto inner = full_solver();
  for (const char* name : {"fisher-rows", "fisher"})
    for (const Case& c : cases()) {
      SCOPED_TRACE(std::string(name) + " " + c.name);
      const WeightedSolver weighted(*inner, objective(name)->weights(facts_of(c.fisher)));
      const double slack = 1e-9 * energy(c.w), weighted_slack = 1e-9 * weighted.residual(c.w, {});
      int told_apart = 0;
      for (int64_t rank = 0; rank <= std::min(c.w.size(0), c.w.size(1)); ++rank) {
        const LowRankFactors ours = weighted.solve(c.w, rank), plain = inner->solve(c.w, rank);
        const double own = weighted.residual(c.w, ours), theirs = weighted.residual(c.w, plain);
        EXPECT_TRUE(own <= theirs * (1 + 1e-6) + weighted_slack) << rank << ": " << own << " " << theirs;
        EXPECT_TRUE(plain_energy(c.w, ours) >= plain_energy(c.w, plain) * (1 - 1e-6) - slack) << rank;
        told_apart += own < 0.99 * theirs;
      }
      if (c.name != "zero_weight") EXPECT_GT(told_apart, 5) << "this case does not tell the norms apart";
    }
}

TEST(FisherObjectives, ResidualIsTheNormWrittenOut) {
  const Case c = cases()[0];
  const auto inner = full_solver();
  const Tensor a = c.fisher.mean(1).sqrt(), b = c.fisher.mean(0).sqrt();
  const LowRankFactors f = inner->solve(c.w, 4);
  const Tensor rest = c.w.to(at::kDouble) - f.up.to(at::kDouble).matmul(f.down.to(at::kDouble));
  const WeightedSolver rows(*inner, objective("fisher-rows")->weights(facts_of(c.fisher))),
      both(*inner, objective("fisher")->weights(facts_of(c.fisher)));
  expect_close(rows.residual(c.w, f), energy(a.unsqueeze(1) * rest), 1e-12);
  expect_close(both.residual(c.w, f), energy(a.unsqueeze(1) * rest * b), 1e-12);
  expect_close(both.residual(c.w, {}), energy(a.unsqueeze(1) * c.w * b), 1e-6);
}

TEST(FisherObjectives, RowsThatNothingMovedAreFloored) {
  Tensor rows = at::ones({8}, at::kDouble) * 4;
  rows[2] = 0;
  rows[5] = 1e-12;
  const auto weights = [&](const std::string& options) {
    return objective("fisher-rows", options)->weights({.fisher_rows = rows, .fisher_cols = rows}).rows;
  };
  const double mean = rows.mean().item<double>();
  for (const int64_t i : {2, 5}) {
    expect_close(weights("{}")[i].item<double>(), 1e-3 * std::sqrt(mean), 1e-12);
    expect_close(weights("{floor: 0.1}")[i].item<double>(), 0.1 * std::sqrt(mean), 1e-12);
  }
  expect_close(weights("{}")[0].item<double>(), 2, 1e-12);
}

TEST(FisherObjectives, WithoutAnyGradientTheNormIsPlain) {
  const NormWeights w = objective("fisher")->weights(
      {.fisher_rows = at::zeros({8}, at::kDouble), .fisher_cols = at::zeros({8}, at::kDouble)});
  EXPECT_FALSE(w.rows.defined());
  EXPECT_FALSE(w.cols.defined());
}

TEST(FisherObjectives, FloorIsAnOptionWithLimits) {
  for (const char* bad : {"0", "-1", "2", "nan"})
    EXPECT_TRUE(
        throws_error([&] { objective("fisher", concat("{floor: ", bad, "}")); }, Errc::kConfig, {"floor"}))
        << bad;
}

TEST(FisherFacts, MembersShareColumnsAndKeepTheirRows) {
  const OutlierGroup g("facts", {32, 96}, 64, "int4");
  ObjectiveFacts facts;
  add_fisher(g.problem, {0, 1}, {}, facts);
  const Tensor whole = at::cat({g.problem.fisher(0)->full_mean(), g.problem.fisher(1)->full_mean()});
  expect_close(facts.fisher_rows, whole.mean(1), 1e-13);
  expect_close(facts.fisher_cols, whole.mean(0), 1e-13);
}

// The norm weighs what a change of the stored weight does to the output, whatever the input was divided by.
TEST(FisherFacts, SmoothingMovesNoMinimum) {
  const OutlierGroup g("facts", {96}, 64, "int4");
  const Tensor s = random_tensor({64}, "facts-s").abs() + 0.2, w = g.problem.weights[0];
  ObjectiveFacts plain, smoothed;
  add_fisher(g.problem, {0}, {}, plain);
  add_fisher(g.problem, {0}, s, smoothed);
  const auto inner = full_solver(), other = full_solver();
  const LowRankFactors a = WeightedSolver(*inner, objective("fisher")->weights(plain)).solve(w, 6),
                       b = WeightedSolver(*other, objective("fisher")->weights(smoothed)).solve(w * s, 6);
  expect_close(b.up.matmul(b.down) / s, a.up.matmul(a.down), 1e-4);
}

TEST(FisherRecipes, EqualGradientsAreThePlainMethods) {
  OutlierGroup g("uniform", {64, 32}, 128, "int4");
  for (auto& [linear, fisher] : g.stats.fisher) {
    fisher.rows.fill_(0.3);
    fisher.cols.fill_(0.3);
  }
  const std::pair<const char*, const char*> same[] = {
      {"fwsvd", "svd"}, {"lq-lora-fisher", "lq-lora"}, {"svdquant-fwsvd", "svdquant-iterated"}};
  for (const auto& [weighted, plain] : same) {
    const GroupCompression a = compress(g.problem, concat("preset: ", weighted)),
                           b = compress(g.problem, concat("preset: ", plain));
    expect_close(output_error(g, a), output_error(g, b), 0.02);
  }
}

TEST(FisherRecipes, EveryPresetKeepsMostOfTheOutput) {
  const OutlierGroup g("presets", {64, 96}, 256, "w4a16-nf4-g64");
  const double rtn = output_error(g, "preset: rtn");
  for (const char* preset :
       {"lord", "fwsvd", "lq-lora", "lq-lora-fisher", "svdquant-fwsvd", "svdquant-fisher"})
    EXPECT_TRUE(output_error(g, concat("preset: ", preset)) < rtn) << preset;
}

TEST(FisherRecipes, WithoutGradientsTheyAreRefusedAndSayWhatToRun) {
  OutlierGroup g("no-gradients", {64, 32}, 128, "int4");
  g.stats.fisher.erase("no-gradients.1");
  for (const char* preset : {"fwsvd", "lq-lora-fisher", "svdquant-fisher"})
    EXPECT_TRUE(throws_error([&] { compress(g.problem, concat("preset: ", preset)); }, Errc::kConfig,
                             {"group no-gradients", "low_rank.objective fisher", "no-gradients.1",
                              "svdlab calibrate MODEL --fisher"}))
        << preset;
  EXPECT_NO_THROW(compress(g.problem, "{preset: fwsvd, low_rank: {rank: 0}}"));
  EXPECT_NO_THROW(compress(g.problem, "preset: lord"));
}

TEST(FisherRecipes, NanGradientsAreRefusedByName) {
  OutlierGroup g("bad-gradients", {64}, 128, "int4");
  g.stats.fisher.begin()->second.rows[3] = std::nan("");
  EXPECT_TRUE(throws_error([&] { compress(g.problem, "preset: fwsvd"); }, Errc::kInput, {"bad-gradients.0"}));
}

}  // namespace
}  // namespace svdlab
