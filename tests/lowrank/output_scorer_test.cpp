#include "lowrank/output_scorer.h"

#include "core/runtime/fake_quantize.h"
#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::OutlierGroup;

const LowRankFactors kNoFactors;

double energy(const Tensor& t) { return t.to(at::kDouble).square().sum().item<double>(); }
// The scorer keeps fp32 sums of each row; rounding of outputs of size 1e2 stays far below this.
constexpr double kRounding = 1e-5;

TEST(OutputScorer, SixteenBitWeightsAndInputsHaveNoError) {
  const OutlierGroup g("scorer", {32, 16}, 128, "w4a16-int4-g64");
  const OutputScorer scorer(g.problem, 64);
  EXPECT_EQ(scorer.error(0, scorer.input({}), at::cat(g.problem.weights), kNoFactors), 0);
}

TEST(OutputScorer, WithoutWeightsTheErrorIsTheOutput) {
  const OutlierGroup g("scorer", {32, 16}, 128, "w4a16-int4-g64");
  const OutputScorer scorer(g.problem, 64);
  const Tensor w = at::cat(g.problem.weights), tokens = g.stats.reservoir.slice(0, 0, 64);
  expect_close(scorer.error(0, scorer.input({}), at::zeros_like(w), kNoFactors),
               energy(tokens.to(at::kDouble).matmul(w.t().to(at::kDouble))), kRounding);
}

TEST(OutputScorer, ActivationsAreQuantizedForTheLowBitBranchOnly) {
  const OutlierGroup g("scorer", {32, 16}, 128, "int4");
  const OutputScorer scorer(g.problem, 64);
  const Tensor smooth = testing::random_tensor({128}, "scorer-smooth").abs() + 0.5;
  const Tensor tokens = g.stats.reservoir.slice(0, 0, 64), w = at::cat(g.problem.weights);
  const OutputScorer::Input in = scorer.input(smooth);
  expect_identical(in.smoothed, tokens / smooth);
  expect_identical(in.quantized,
                   fake_quantize(tokens, smooth, *g.problem.scheme.activations, g.problem.segments));
  const Tensor smoothed = w * smooth;
  const LowRankFactors all{.up = smoothed, .down = at::eye(128)};
  const double by_branch = scorer.error(0, in, at::zeros_like(w), all);
  const double by_codes = scorer.error(0, in, smoothed, kNoFactors);
  expect_close(by_codes, energy((in.smoothed - in.quantized).matmul(smoothed.t())), 1e-3);
  EXPECT_TRUE(by_branch < 1e-9 * by_codes) << by_branch << " " << by_codes;
}

TEST(OutputScorer, EachPartitionIsScoredAgainstItsOwnMembers) {
  OutlierGroup g("scorer", {32, 16, 8}, 128, "w4a16-int4-g64");
  g.problem.branches = {{0, 2}, {1}};
  const OutputScorer scorer(g.problem, 64);
  const auto& w = g.problem.weights;
  EXPECT_EQ(scorer.error(0, scorer.input({}), at::cat({w[0], w[2]}), kNoFactors), 0);
  EXPECT_EQ(scorer.error(1, scorer.input({}), w[1], kNoFactors), 0);
}

}  // namespace
}  // namespace svdlab
