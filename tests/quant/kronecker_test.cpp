#include "quant/kronecker.h"

#include <cmath>

#include "core/models/model.h"
#include "core/runtime/compressed_linear.h"
#include "lowrank/factors.h"
#include "quant/rank_selector.h"
#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::random_tensor;
using testing::throws_error;

Tensor sum_of(const KroneckerSvd& svd) {
  Tensor sum = at::kron(svd.left[0], svd.right[0]);
  for (int64_t k = 1; k < svd.left.size(0); ++k) sum = sum + at::kron(svd.left[k], svd.right[k]);
  return sum;
}

double squared_error(const Tensor& m, const KroneckerSvd& svd) {
  return (m.to(at::kDouble) - sum_of(svd).to(at::kDouble)).square().sum().item<double>();
}

/// The property that makes it the best: ||m - sum||^2 is the tail of the spectrum of R(m), here LAPACK's.
void expect_error_is_the_tail(const Tensor& m, const KroneckerShape& shape, int64_t terms) {
  const Tensor values = at::linalg_svdvals(kronecker_rearranged(m, shape).to(at::kDouble));
  const KroneckerSvd svd = kronecker_svd(m, shape, terms);
  const double tail = values.slice(0, terms).square().sum().item<double>(), error = squared_error(m, svd);
  EXPECT_TRUE(std::abs(error - tail) <= 1e-5 * tail + 1e-11 * energy(m))
      << terms << " terms: error " << error << ", tail " << tail;
  EXPECT_TRUE((svd.values - values).abs().max().item<double>() <= 1e-6 * std::sqrt(energy(m)));
}

TEST(Kronecker, ErrorIsTheTailOfTheRearrangedSpectrumOnHardMatrices) {
  Tensor outlier = random_tensor({48, 64}, "outlier") * 0.02;
  outlier.select(1, 17).mul_(1000);
  const Tensor graded = random_tensor({48, 64}, "graded") * at::logspace(2, -4, 64);
  const Tensor line = random_tensor({48, 1}, "u").matmul(random_tensor({1, 64}, "v"));
  for (const Tensor& m : {random_tensor({48, 64}, "plain"), outlier, graded, line, at::zeros({48, 64})})
    for (const KroneckerShape& shape : {KroneckerShape{6, 8}, {48, 1}, {1, 64}, {12, 4}})
      for (const int64_t terms : {1, 5, 48}) expect_error_is_the_tail(m, shape, terms);
}

TEST(Kronecker, ErrorIsTheTailOnTheEmbeddedModelsLayers) {
  const Model model = load_model(SVDLAB_SOURCE_DIR "/notebooks_data/models/flux-cifar");
  const Value none = Value::map();
  Fields options(none, "");
  const auto gram = low_rank_solvers().at("gram")(options);
  int seen = 0, low_rank_is_nearer = 0;
  for (const LinearSpec& linear : model.graph.linears) {
    if (linear.role != Role::kQuery && linear.role != Role::kAttentionOut) continue;
    SCOPED_TRACE(linear.name);
    const Tensor w = linear.weight.to(at::kFloat);
    const KroneckerShape shape = smallest_kronecker_shape(w.size(0), w.size(1));
    expect_error_is_the_tail(w, shape, 8);
    // At equal storage, a low-rank branch against it: counted, since either may win.
    const KroneckerSvd svd = kronecker_svd(w, shape, 8);
    const int64_t rank = (svd.left.numel() + svd.right.numel()) / (w.size(0) + w.size(1));
    low_rank_is_nearer += residual_energy(w, gram->solve(w, rank)) < squared_error(w, svd);
    ++seen;
  }
  EXPECT_GT(seen, 4);
  std::printf("a low-rank branch of no more numbers is nearer in %d of %d layers\n", low_rank_is_nearer,
              seen);
}

TEST(Kronecker, RearrangementKeepsTheNormAndMakesAProductRankOne) {
  const Tensor u = random_tensor({3, 5}, "u"), v = random_tensor({4, 2}, "v"), m = at::kron(u, v);
  const Tensor r = kronecker_rearranged(m, {3, 5});
  expect_close(r, u.reshape({15, 1}).matmul(v.reshape({1, 8})), 1e-7);
  expect_close(r.norm().item<double>(), m.norm().item<double>(), 1e-6);
  EXPECT_TRUE(squared_error(m, kronecker_svd(m, {3, 5}, 1)) <= 1e-11 * energy(m));
}

TEST(Kronecker, AllTermsAreTheMatrix) {
  const Tensor m = random_tensor({12, 20}, "m");
  EXPECT_TRUE(squared_error(m, kronecker_svd(m, {3, 4}, 12)) <= 1e-11 * energy(m));
}

TEST(Kronecker, SmallestShapeStoresLeast) {
  const KroneckerShape square = smallest_kronecker_shape(256, 256);
  EXPECT_EQ(square.left_rows, 16);
  EXPECT_EQ(square.left_cols, 16);
  const KroneckerShape flat = smallest_kronecker_shape(3072, 12288);
  EXPECT_EQ(flat.left_rows * flat.left_cols, 6144);
  const KroneckerShape prime = smallest_kronecker_shape(7, 1);
  EXPECT_EQ(prime.left_rows * prime.left_cols, 7);
}

TEST(Kronecker, RefusesWhatDoesNotFit) {
  const Tensor m = random_tensor({12, 20}, "m");
  EXPECT_TRUE(throws_error([&] { kronecker_rearranged(m, {5, 4}); }, Errc::kConfig, {"[5, 4]", "[12, 20]"}));
  EXPECT_TRUE(throws_error([&] { kronecker_rearranged(m, {0, 4}); }, Errc::kConfig));
  EXPECT_TRUE(throws_error([&] { kronecker_svd(m, {3, 4}, 13); }, Errc::kConfig, {"13", "1 to 12"}));
  EXPECT_TRUE(throws_error([&] { kronecker_svd(m, {3, 4}, 0); }, Errc::kConfig));
}

TEST(KroneckerBranch, RunsAsTheDenseMatrixAndIsCountedByItsNumbers) {
  const testing::OutlierGroup g("kron", {96, 64}, 128, "w4a16-int4-g64");
  const auto c = testing::compress(g.problem, "branch: {kronecker: {terms: 4}}");
  for (size_t i = 0; i < c.linears.size(); ++i) {
    const CompressedLinear& linear = c.linears[i];
    const auto* branch = std::get_if<KroneckerBranch>(&linear.branches.back());
    ASSERT_NE(branch, nullptr);
    EXPECT_EQ(branch->left.size(0), 4);
    expect_close(linear.bits(),
                 linear.low_bit()->bits() + 16.0 * (branch->left.numel() + branch->right.numel()), 1e-12);
    for (const Execution execution : {Execution::kDequantized, Execution::kCodes})
      expect_close(run_compressed(linear, g.x, execution), g.x.matmul(linear.effective_weight().t()), 1e-5);
    // What the branch took is not in the codes.
    Tensor taken = at::kron(branch->left[0], branch->right[0]);
    for (int64_t k = 1; k < 4; ++k) taken = taken + at::kron(branch->left[k], branch->right[k]);
    expect_close(dequantize(linear.low_bit()->weight), g.problem.weights[i] - taken, 0.2);
    expect_close(linear.effective_weight(), taken + dequantize(linear.low_bit()->weight), 1e-6);
  }
}

TEST(KroneckerBranch, TakesStructureOutOfAWeightBeforeItIsRounded) {
  const testing::OutlierGroup plain("kron-sum", {128}, 128, "int4");
  GroupProblem problem = plain.problem;
  const Tensor noise = random_tensor({128, 128}, "noise") * 1e-3;
  Tensor u = random_tensor({16, 8}, "ku"), v = random_tensor({8, 16}, "kv");
  u[3][4] = 40;  // an outlier that group scales would have to cover
  problem.weights[0] = at::kron(u, v) + noise;
  const auto error = [&](const std::string& recipe) {
    const auto c = testing::compress(problem, recipe);
    return (c.linears[0].effective_weight() - problem.weights[0]).norm().item<double>();
  };
  EXPECT_TRUE(error("branch: {kronecker: {terms: 1}}") < 0.2 * error("weights: rtn"));
}

TEST(KroneckerBranch, EnergyKeepsTheTermsThatMeetItAndNoMoreThanAsked) {
  const testing::OutlierGroup g("kron-energy", {128}, 128, "int4");
  const auto terms = [&](const std::string& options) {
    const auto c = testing::compress(g.problem, "branch: {kronecker: " + options + "}");
    return std::get<KroneckerBranch>(c.linears[0].branches.back()).left.size(0);
  };
  const Tensor& w = g.problem.weights[0];
  const KroneckerSvd svd = kronecker_svd(w, smallest_kronecker_shape(128, 128), 1);
  EXPECT_EQ(terms("{terms: 100, energy: 0.3}"), select_rank(svd.values, 0.3));
  EXPECT_EQ(terms("{terms: 2, energy: 0.99}"), std::min<int64_t>(2, select_rank(svd.values, 0.99)));
  EXPECT_TRUE(throws_error([&] { terms("{terms: 0}"); }, Errc::kConfig, {"terms"}));
  EXPECT_TRUE(throws_error([&] { terms("{energy: 2}"); }, Errc::kConfig, {"(0, 1]"}));
}

TEST(RankSelector, EnergyRankIsTheSmallestThatMeetsIt) {
  for (const Tensor& values : {at::logspace(1, -3, 30), at::linspace(5, 1, 9), at::ones({6})}) {
    const Tensor squares = values.to(at::kDouble).square();
    const double total = squares.sum().item<double>();
    for (const double wanted : {0.1, 0.5, 0.9, 0.99}) {
      const int64_t r = rank_by_energy(values, wanted);
      EXPECT_TRUE(squares.slice(0, 0, r).sum().item<double>() >= wanted * total * (1 - 1e-12)) << r;
      EXPECT_TRUE(squares.slice(0, 0, r - 1).sum().item<double>() < wanted * total * (1 + 1e-12)) << r;
    }
    EXPECT_EQ(rank_by_energy(values, 1), values.numel());
  }
  EXPECT_EQ(rank_by_energy(at::zeros({4}), 0.9), 0);
  EXPECT_EQ(rank_by_energy(at::tensor({2.0, 0.0, 0.0}), 1), 1);
}

TEST(RankSelector, ElbowIsWhereTheSpectrumBends) {
  EXPECT_EQ(rank_by_elbow(at::tensor({100.0, 90.0, 80.0, 3.0, 2.0, 1.0, 0.0})), 4);
  EXPECT_EQ(rank_by_elbow(at::tensor({100.0, 1.0, 1.0, 1.0})), 2);
  EXPECT_EQ(rank_by_elbow(at::linspace(7, 1, 7)), 7);
  EXPECT_EQ(rank_by_elbow(at::ones({5})), 5);
  EXPECT_EQ(rank_by_elbow(at::tensor({2.0, 1.0})), 2);
}

TEST(RankSelector, TakesTheSmallerAndRefusesWhatIsNoSpectrum) {
  const Tensor values = at::tensor({100.0, 90.0, 80.0, 3.0, 2.0, 1.0, 0.0});
  EXPECT_EQ(select_rank(values, 0.5), 2);
  EXPECT_EQ(select_rank(values, 1), 4);
  EXPECT_TRUE(throws_error([] { rank_by_elbow(at::tensor({1.0, 2.0})); }, Errc::kInput, {"falling"}));
  EXPECT_TRUE(throws_error([] { rank_by_elbow(at::tensor({1.0, -2.0})); }, Errc::kInput));
  EXPECT_TRUE(throws_error([&] { rank_by_energy(values, 0); }, Errc::kConfig, {"(0, 1]"}));
  EXPECT_TRUE(throws_error([&] { rank_by_energy(values, 1.5); }, Errc::kConfig, {"1.5"}));
}

TEST(RankSelector, OnTheEmbeddedModelsLayers) {
  const Model model = load_model(SVDLAB_SOURCE_DIR "/notebooks_data/models/flux-cifar");
  for (const LinearSpec& linear : model.graph.linears) {
    if (linear.role != Role::kQuery) continue;
    const Tensor values = at::linalg_svdvals(linear.weight.to(at::kDouble));
    const int64_t r = select_rank(values, 0.9);
    EXPECT_GE(r, 1) << linear.name;
    EXPECT_LE(r, rank_by_energy(values, 0.9)) << linear.name;
    EXPECT_LE(r, rank_by_elbow(values)) << linear.name;
  }
}

}  // namespace
}  // namespace svdlab
