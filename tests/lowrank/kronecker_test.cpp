#include "lowrank/kronecker.h"

#include <cmath>

#include "core/models/model.h"
#include "lowrank/factors.h"
#include "lowrank/rank_selector.h"
#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::random_tensor;
using testing::throws_error;

std::unique_ptr<LowRankSolver> exact_solver() {
  const Value none = Value::map();
  Fields options(none, "");
  return low_rank_solvers().at("gram")(options);
}

Tensor spectrum(const Tensor& m, const KroneckerShape& shape) {
  return at::linalg_svdvals(kronecker_rearranged(m, shape).to(at::kDouble));
}

double squared_error(const Tensor& m, const KroneckerFactors& f) {
  return (m.to(at::kDouble) - kron_dense(f).to(at::kDouble)).square().sum().item<double>();
}

/// The property that makes it the best: ||m - sum||^2 is the tail of the spectrum of R(m).
void expect_error_is_the_tail(const Tensor& m, const KroneckerShape& shape, int64_t rank) {
  const double tail = spectrum(m, shape).slice(0, rank).square().sum().item<double>();
  const double error = squared_error(m, kronecker_svd(m, shape, rank, *exact_solver()));
  EXPECT_TRUE(std::abs(error - tail) <= 1e-5 * tail + 1e-11 * energy(m))
      << "rank " << rank << ": error " << error << ", tail " << tail;
}

TEST(Kronecker, ErrorIsTheTailOfTheRearrangedSpectrumOnHardMatrices) {
  Tensor outlier = random_tensor({48, 64}, "outlier") * 0.02;
  outlier.select(1, 17).mul_(1000);
  const Tensor graded = random_tensor({48, 64}, "graded") * at::logspace(2, -4, 64);
  const Tensor line = random_tensor({48, 1}, "u").matmul(random_tensor({1, 64}, "v"));
  for (const Tensor& m : {random_tensor({48, 64}, "plain"), outlier, graded, line, at::zeros({48, 64})})
    for (const KroneckerShape& shape : {KroneckerShape{6, 8}, {48, 1}, {1, 64}, {12, 4}})
      for (const int64_t rank : {0, 1, 5, 48})
        expect_error_is_the_tail(m, shape,
                                 std::min(rank, std::min(shape.left_rows * shape.left_cols,
                                                         48 * 64 / (shape.left_rows * shape.left_cols))));
}

TEST(Kronecker, ErrorIsTheTailOnTheEmbeddedModelsLayersAndApplyIsTheDenseProduct) {
  const Model model = load_model(SVDLAB_SOURCE_DIR "/notebooks_data/models/flux-cifar");
  int seen = 0, low_rank_is_better = 0;
  for (const LinearSpec& linear : model.graph.linears) {
    if (linear.role != Role::kQuery && linear.role != Role::kFusedOut) continue;
    SCOPED_TRACE(linear.name);
    const Tensor w = linear.weight.to(at::kFloat);
    const KroneckerShape shape = smallest_kronecker_shape(w.size(0), w.size(1));
    expect_error_is_the_tail(w, shape, 8);
    const KroneckerFactors f = kronecker_svd(w, shape, 8, *exact_solver());
    const Tensor x = random_tensor({7, w.size(1)}, linear.name);
    expect_close(kron_apply(x, f), x.matmul(kron_dense(f).t()), 1e-5);
    // At equal storage, a low-rank branch against it: measured, since either may win.
    const int64_t rank = 8 * (f.left[0].numel() + f.right[0].numel()) / (w.size(0) + w.size(1));
    const double low_rank = residual_energy(w, exact_solver()->solve(w, rank));
    low_rank_is_better += low_rank < squared_error(w, f);
    ++seen;
  }
  EXPECT_GT(seen, 4);
  std::printf("a low-rank branch of no more numbers is nearer in %d of %d layers\n", low_rank_is_better,
              seen);
}

TEST(Kronecker, RearrangementKeepsTheNormAndMakesAProductRankOne) {
  const Tensor u = random_tensor({3, 5}, "u"), v = random_tensor({4, 2}, "v"), m = at::kron(u, v);
  const Tensor r = kronecker_rearranged(m, {3, 5});
  expect_close(r, u.reshape({15, 1}).matmul(v.reshape({1, 8})), 1e-7);
  expect_close(r.norm().item<double>(), m.norm().item<double>(), 1e-6);
  EXPECT_TRUE(squared_error(m, kronecker_svd(m, {3, 5}, 1, *exact_solver())) <= 1e-11 * energy(m));
}

TEST(Kronecker, ApplyIsTheDenseProductWithoutTheDenseMatrix) {
  const Tensor m = random_tensor({48, 60}, "m"), x = random_tensor({9, 60}, "x");
  for (const KroneckerShape& shape : {KroneckerShape{6, 5}, {1, 1}, {48, 60}, {16, 3}}) {
    const KroneckerFactors f = kronecker_svd(m, shape, 1, *exact_solver());
    expect_close(kron_apply(x, f), x.matmul(kron_dense(f).t()), 1e-5);
  }
  KroneckerFactors wide = kronecker_svd(m, {6, 5}, 4, *exact_solver());
  wide.left = wide.left.to(at::kDouble), wide.right = wide.right.to(at::kDouble);
  const Tensor x64 = x.to(at::kDouble);
  expect_close(kron_apply(x64, wide), x64.matmul(kron_dense(wide).t()), 1e-13);
}

TEST(Kronecker, FullRankIsTheMatrixAndRankZeroIsNothing) {
  const Tensor m = random_tensor({12, 20}, "m");
  EXPECT_TRUE(squared_error(m, kronecker_svd(m, {3, 4}, 12, *exact_solver())) <= 1e-11 * energy(m));
  expect_identical(kron_dense(kronecker_svd(m, {3, 4}, 0, *exact_solver())), at::zeros({12, 20}));
}

TEST(Kronecker, SmallestShapeStoresLeast) {
  const KroneckerShape square = smallest_kronecker_shape(256, 256);
  EXPECT_EQ(square.left_rows * square.left_cols, 256);
  const KroneckerShape flat = smallest_kronecker_shape(3072, 12288);
  EXPECT_EQ(flat.left_rows * flat.left_cols, 6144);
  const KroneckerShape prime = smallest_kronecker_shape(7, 1);
  EXPECT_EQ(prime.left_rows * prime.left_cols, 7);
}

TEST(Kronecker, RefusesWhatDoesNotFit) {
  const Tensor m = random_tensor({12, 20}, "m");
  EXPECT_TRUE(throws_error([&] { kronecker_rearranged(m, {5, 4}); }, Errc::kConfig, {"[5, 4]", "[12, 20]"}));
  EXPECT_TRUE(throws_error([&] { kronecker_rearranged(m, {0, 4}); }, Errc::kConfig));
  EXPECT_TRUE(throws_error([&] { kronecker_svd(m, {3, 4}, 13, *exact_solver()); }, Errc::kConfig));
  const KroneckerFactors f = kronecker_svd(m, {3, 4}, 2, *exact_solver());
  EXPECT_TRUE(throws_error([&] { kron_apply(at::zeros({2, 12}), f); }, Errc::kInput, {"20"}));
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
