#include "lowrank/scorer.h"

#include "core/ir/quantize.h"
#include "tests/lowrank/problems.h"
#include "tests/support/dynamic_activations.h"

namespace svdlab {
namespace {

using testing::dynamic_activations;
using testing::expect_close;
using testing::OutlierGroup;
using testing::random_tensor;

constexpr int64_t kTokens = 64;
const LowRankFactors kNoFactors;

double energy(const Tensor& t) { return t.to(at::kDouble).square().sum().item<double>(); }
Tensor smoothing() { return random_tensor({128}, "scorer-smooth").abs() + 0.5; }

std::unique_ptr<CandidateScorer> candidate(const Scorer& scorer, const Tensor& smooth = {}) {
  return scorer.candidate(smooth, 1);
}

// token_scorer and gram_scorer, on a group whose reservoir holds every calibration token: there they must
// agree.
class BothScorers : public ::testing::TestWithParam<Scoring> {
 protected:
  std::unique_ptr<Scorer> scorer(const GroupProblem& problem, int64_t tokens = kTokens) const {
    return make_scorer(problem, dynamic_activations(), GetParam(), tokens);
  }
  // The token scorer keeps fp32 sums of each token; rounding of outputs of size 1e2 stays far below this.
  double rounding() const { return 1e-5; }
};

TEST_P(BothScorers, SixteenBitWeightsAndInputsHaveNoError) {
  const OutlierGroup g("scorer", {32, 16}, 128, "w4a16-int4-g64", kTokens);
  EXPECT_EQ(candidate(*scorer(g.problem))->error(0, at::cat(g.problem.weights), kNoFactors), 0);
}

TEST_P(BothScorers, WithoutWeightsTheErrorIsTheOutput) {
  const OutlierGroup g("scorer", {32, 16}, 128, "w4a16-int4-g64", kTokens);
  const Tensor w = at::cat(g.problem.weights);
  expect_close(candidate(*scorer(g.problem))->error(0, at::zeros_like(w), kNoFactors),
               energy(g.x.to(at::kDouble).matmul(w.t().to(at::kDouble))), rounding());
}

TEST_P(BothScorers, ActivationsAreQuantizedForTheLowBitBranchOnly) {
  const OutlierGroup g("scorer", {32, 16}, 128, "int4", kTokens);
  const Tensor smooth = smoothing(), w = at::cat(g.problem.weights), smoothed = w * smooth;
  const auto made = scorer(g.problem);
  const auto one = candidate(*made, smooth);
  const TokenSample in = token_sample(g.problem, dynamic_activations(), g.stats.reservoir, smooth);
  const LowRankFactors all{.up = smoothed, .down = at::eye(128)};
  const double by_branch = one->error(0, at::zeros_like(w), all),
               by_codes = one->error(0, smoothed, kNoFactors);
  expect_close(by_codes, energy((in.smoothed - in.quantized).matmul(smoothed.t())), 1e-3);
  EXPECT_TRUE(by_branch < 1e-9 * by_codes) << by_branch << " " << by_codes;
}

TEST_P(BothScorers, EachPartitionIsScoredAgainstItsOwnMembers) {
  OutlierGroup g("scorer", {32, 16, 8}, 128, "w4a16-int4-g64", kTokens);
  g.problem.branches = {{0, 2}, {1}};
  const auto made = scorer(g.problem);
  const auto one = candidate(*made);
  const auto& w = g.problem.weights;
  EXPECT_EQ(one->error(0, at::cat({w[0], w[2]}), kNoFactors), 0);
  EXPECT_EQ(one->error(1, w[1], kNoFactors), 0);
}

TEST_P(BothScorers, ThreadsChangeNothing) {
  const OutlierGroup g("scorer-threads", {700}, 128, "int4", /*tokens=*/600);
  const Tensor q = dequantize(quantize(g.problem.weights[0], *g.problem.scheme.weights));
  const auto made = scorer(g.problem, 600);
  EXPECT_EQ(made->candidate({}, 1)->error(0, q, kNoFactors), made->candidate({}, 3)->error(0, q, kNoFactors));
}

TEST_P(BothScorers, MomentsAreSumsOverTokens) {
  const OutlierGroup g("scorer-moments", {32}, 128, "int4", kTokens);
  const Tensor smooth = smoothing(), down = random_tensor({4, 128}, "down");
  const auto made = scorer(g.problem);
  const InputMoments m = candidate(*made, smooth)->moments(down);
  const TokenSample in = token_sample(g.problem, dynamic_activations(), g.stats.reservoir, smooth);
  const Tensor z = in.smoothed.to(at::kDouble).matmul(down.to(at::kDouble).t());
  expect_close(m.input, in.smoothed.to(at::kDouble).t().matmul(z), 1e-6);
  expect_close(m.quantized, in.quantized.to(at::kDouble).t().matmul(z), 1e-6);
  expect_close(m.latent, z.t().matmul(z), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(All, BothScorers, ::testing::Values(Scoring::kTokens, Scoring::kGram),
                         [](const auto& info) { return info.param == Scoring::kGram ? "gram" : "tokens"; });

// The same group, the same candidates, both ways; low-bit weights, branch, smoothing and rounded inputs all
// in.
class ScorersAgree : public ::testing::TestWithParam<std::string> {};

TEST_P(ScorersAgree, WhereTheReservoirHoldsEveryToken) {
  const OutlierGroup g("scorer-agree", {96, 32}, 128, GetParam(), /*tokens=*/300);
  const auto tokens = make_token_scorer(g.problem, dynamic_activations(), 300),
             gram = make_gram_scorer(g.problem, dynamic_activations(), 300);
  const Tensor stacked = at::cat(g.problem.weights);
  for (const Tensor& smooth : {Tensor(), smoothing()}) {
    const Tensor w = smooth.defined() ? stacked * smooth : stacked;
    const LowRankFactors branch{.up = random_tensor({128, 4}, "agree-up") * 0.01,
                                .down = random_tensor({4, 128}, "agree-down") * 0.1};
    for (const LowRankFactors& f : {kNoFactors, branch}) {
      const Tensor rest = f.up.defined() ? w - f.up.matmul(f.down) : w;
      const Tensor q = dequantize(quantize(rest, *g.problem.scheme.weights));
      expect_close(gram->candidate(smooth, 1)->error(0, q, f), tokens->candidate(smooth, 1)->error(0, q, f),
                   1e-4);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Schemes, ScorersAgree,
                         ::testing::Values("int4", "nvfp4", "mxfp4", "w8a8", "w4a16-int4-g64"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(ScorerChoice, IsAPureFunctionOfTheShape) {
  // FLUX: 3072 channels, 1024 tokens. The embedded model: 256 channels.
  EXPECT_FALSE(cheaper_scorer(1024, 3072, 9216, true).use_gram());
  EXPECT_FALSE(cheaper_scorer(1024, 3072, 9216, false).use_gram());
  EXPECT_FALSE(cheaper_scorer(1024, 256, 768, true).use_gram());
  EXPECT_TRUE(cheaper_scorer(4096, 64, 4096, true).use_gram());
  EXPECT_TRUE(cheaper_scorer(1024, 256, 768, false).use_gram());
  const ScorerChoice choice = cheaper_scorer(1024, 3072, 9216, true);
  EXPECT_EQ(choice.token_cost, 1024.0 * 3072 * 9216);
  EXPECT_EQ(choice.gram_cost, 2 * 3072.0 * 3072 * (3 * 9216.0 + 2 * 1024));
  EXPECT_EQ(choice.text(), "tokens: 29 GMAC a candidate, gram 560");
}

TEST(ScorerChoice, ARecipeMayForceIt) {
  const OutlierGroup g("scorer-forced", {64}, 128, "int4");
  const GroupCompression by_tokens = testing::compress(g.problem, "{preset: smooth-grid, score: tokens}"),
                         by_gram = testing::compress(g.problem, "{preset: smooth-grid, score: gram}");
  ASSERT_EQ(by_tokens.log[0].search.size(), 39u);
  EXPECT_NE(by_tokens.log[0].search[7].error, by_gram.log[0].search[7].error);
  expect_close(by_gram.log[0].search[7].error, by_tokens.log[0].search[7].error, 1e-3);
}

}  // namespace
}  // namespace svdlab
