// Every registered solver on every matrix; optimal energies come from Eigen's singular values.
#include "lowrank/solver.h"

#include <filesystem>

#include "core/io/safetensors.h"
#include "core/io/yaml.h"
#include "lowrank/factors.h"
#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::random_tensor;

std::unique_ptr<LowRankSolver> solver(const std::string& name, const std::string& yaml = "{}") {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "low_rank");
  auto made = low_rank_solvers().at(name)(fields);
  fields.finish();
  return made;
}

Tensor matrix(const std::string& kind) {
  if (kind == "tall") return random_tensor({120, 48}, kind);
  if (kind == "wide") return random_tensor({48, 120}, kind);
  if (kind == "row") return random_tensor({1, 50}, kind);
  if (kind == "zero") return at::zeros({40, 56});
  if (kind == "rank_one") return random_tensor({64, 1}, kind).matmul(random_tensor({1, 72}, kind + "-v"));
  if (kind == "graded") return random_tensor({96, 80}, kind) * at::logspace(2, -4, 80);
  if (kind == "outlier_channel") {
    Tensor m = random_tensor({160, 128}, kind) * 0.02;
    m.select(1, 17).mul_(1000);
    return m;
  }
  return testing::realistic_weight(384, 320, kind);
}

const std::vector<std::string> kMatrices = {
    "tall", "wide", "row", "zero", "rank_one", "graded", "outlier_channel", "realistic"};

// Energy beyond the first `rank` singular values: what no approximation can beat (Eckart, Young, 1936).
double optimal_residual(const Tensor& m, int64_t rank) {
  const Tensor s =
      solver("eigen")->solve(m, std::min(m.size(0), m.size(1))).up.to(at::kDouble).square().sum(0);
  return s.slice(0, rank).sum().item<double>();
}

class SolverContract : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  SolverContract() : m(matrix(std::get<1>(GetParam()))), limit(std::min(m.size(0), m.size(1))) {}
  LowRankFactors solve(int64_t rank) const { return solver(std::get<0>(GetParam()))->solve(m, rank); }
  // Subspace iteration cannot tell equal singular values apart; on white noise that costs it a few 0.1 %.
  double slack() const {
    const std::string& name = std::get<0>(GetParam());
    return name == "randomized" ? 5e-3 : name == "subspace" ? 3e-2 : 1e-4;
  }
  double total() const { return m.to(at::kDouble).square().sum().item<double>(); }
  Tensor m;
  int64_t limit;
};

TEST_P(SolverContract, ResidualIsThatOfTheBestApproximation) {
  for (const int64_t rank : {int64_t{1}, std::min<int64_t>(8, limit), std::min<int64_t>(20, limit)}) {
    SCOPED_TRACE(rank);
    const double best = optimal_residual(m, rank), got = residual_energy(m, solve(rank));
    EXPECT_TRUE(got >= best * (1 - 1e-4)) << got << " below the optimum " << best;
    EXPECT_TRUE(got <= best * (1 + slack()) + 1e-11 * total()) << got << " above the optimum " << best;
  }
}

TEST_P(SolverContract, AStartChangesNothingForTheWorse) {
  const int64_t rank = std::min<int64_t>(8, limit);
  const LowRankFactors cold = solve(rank);
  const LowRankFactors warm = solver(std::get<0>(GetParam()))->solve(m, rank, cold.basis);
  EXPECT_TRUE(residual_energy(m, warm) <= residual_energy(m, cold) * (1 + 1e-5) + 1e-11 * total());
  // A basis of another shape is not one of a matrix like this one.
  const LowRankFactors odd = solver(std::get<0>(GetParam()))->solve(m, rank, at::ones({3, 2}));
  expect_identical(odd.up, cold.up);
}

TEST_P(SolverContract, DownIsOrthonormalAndUpOrdered) {
  const int64_t rank = std::min<int64_t>(12, limit);
  const LowRankFactors f = solve(rank);
  ASSERT_EQ(f.up.sizes(), (std::vector<int64_t>{m.size(0), rank}));
  ASSERT_EQ(f.down.sizes(), (std::vector<int64_t>{rank, m.size(1)}));
  EXPECT_EQ(f.up.scalar_type(), at::kFloat);
  EXPECT_EQ(f.down.scalar_type(), at::kFloat);
  expect_close(f.down.matmul(f.down.t()), at::eye(rank), 1e-5);
  const Tensor norms = f.up.to(at::kDouble).square().sum(0).sqrt();
  const Tensor steps = norms.slice(0, 1) - norms.slice(0, 0, rank - 1);
  EXPECT_TRUE((steps <= 1e-6 * norms[0]).all().item<bool>()) << norms;
}

TEST_P(SolverContract, FullRankIsTheMatrix) {
  const LowRankFactors f = solve(limit);
  const double rest = residual_energy(m, f);
  EXPECT_TRUE(rest <= 1e-10 * total()) << rest << " of " << total();
}

TEST_P(SolverContract, RankZeroIsNothing) {
  const LowRankFactors f = solve(0);
  EXPECT_EQ(f.up.sizes(), (std::vector<int64_t>{m.size(0), 0}));
  EXPECT_EQ(f.down.sizes(), (std::vector<int64_t>{0, m.size(1)}));
  EXPECT_EQ(residual_energy(m, f), energy(m));
}

TEST_P(SolverContract, TwiceGivesTheSame) {
  const int64_t rank = std::min<int64_t>(8, limit);
  const LowRankFactors a = solve(rank), b = solve(rank);
  expect_identical(a.up, b.up);
  expect_identical(a.down, b.down);
}

TEST_P(SolverContract, RanksThatDoNotFitAreRefused) {
  EXPECT_TRUE(testing::throws_error([&] { solve(limit + 1); }, Errc::kConfig, {std::to_string(limit + 1)}));
  EXPECT_TRUE(testing::throws_error([&] { solve(-1); }, Errc::kConfig, {"-1"}));
}

INSTANTIATE_TEST_SUITE_P(All, SolverContract,
                         ::testing::Combine(::testing::ValuesIn(low_rank_solvers().names()),
                                            ::testing::ValuesIn(kMatrices)),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" + std::get<1>(info.param);
                         });

class SolverAgreement : public ::testing::TestWithParam<std::string> {};

TEST_P(SolverAgreement, WithEigenWhereSingularValuesAreApart) {
  const Tensor base = random_tensor({96, 64}, "agree");
  const Tensor spectrum = at::logspace(0, -3, 64);
  const LowRankFactors basis = solver("eigen")->solve(base, 64);
  const Tensor u = basis.up / basis.up.norm(2, 0, true);
  const Tensor m = (u * spectrum).matmul(basis.down);
  const LowRankFactors a = solver(GetParam())->solve(m, 8), e = solver("eigen")->solve(m, 8);
  expect_close(a.up.matmul(a.down), e.up.matmul(e.down), 1e-4);
  expect_close(a.up.norm(2, 0), e.up.norm(2, 0), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(All, SolverAgreement, ::testing::ValuesIn(low_rank_solvers().names()));

TEST(FullSolver, SinglePrecisionIsAnOption) {
  const Tensor m = matrix("realistic");
  const double best = optimal_residual(m, 8);
  expect_close(residual_energy(m, solver("full", "{precision: fp32}")->solve(m, 8)), best, 1e-4);
  EXPECT_TRUE(testing::throws_error([] { solver("full", "{precision: bf16}"); }, Errc::kConfig,
                                    {"precision", "bf16"}));
}

TEST(RandomizedSolver, TrainedWeightsWithinOnePartInAThousand) {
  const std::string path = SVDLAB_SOURCE_DIR "/../shared/data/weights/ngswin_x2.safetensors";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path;
  int compared = 0;
  for (const auto& [name, tensor] : load_safetensors(path)) {
    if (tensor.dim() != 2 || std::min(tensor.size(0), tensor.size(1)) < 64) continue;
    SCOPED_TRACE(name);
    const Tensor m = tensor.to(at::kFloat);
    for (const int64_t rank : {8, 16}) {
      const double best = residual_energy(m, solver("full")->solve(m, rank));
      const double got = residual_energy(m, solver("randomized")->solve(m, rank));
      EXPECT_TRUE(got <= 1.001 * best) << "rank " << rank << ": " << got / best;
    }
    ++compared;
  }
  EXPECT_GT(compared, 50);
}

TEST(RandomizedSolver, MoreWorkIsCloserToTheOptimum) {
  const Tensor m = random_tensor({400, 300}, "flat-spectrum");  // the hardest case: no gap anywhere
  const double best = optimal_residual(m, 8);
  const auto excess = [&](const std::string& options) {
    return residual_energy(m, solver("randomized", options)->solve(m, 8)) / best - 1;
  };
  const double poor = excess("{oversampling: 0, iterations: 0}"), usual = excess("{}"),
               good = excess("{oversampling: 64, iterations: 8}");
  EXPECT_TRUE(good < usual && usual < poor) << good << " " << usual << " " << poor;
  EXPECT_TRUE(usual < 0.02) << usual;
  EXPECT_TRUE(good < 1e-3) << good;
}

// What the chain of candidates relies on: the matrix changes a little, the basis of the last one serves.
TEST(SubspaceSolver, StartedFromANeighbourOneIterationIsEnough) {
  const Tensor w = testing::realistic_weight(384, 320, "warm-w");
  const Tensor span = (random_tensor({320}, "warm-span").abs() + 0.1);
  const auto warm = solver("subspace"), cold = solver("subspace", "{iterations: 1}");
  LowRankFactors last;
  for (const double alpha : {0.3, 0.35, 0.4, 0.45, 0.5}) {
    const Tensor m = w * span.pow(alpha);
    const double best = optimal_residual(m, 16);
    last = warm->solve(m, 16, last.basis);
    EXPECT_TRUE(residual_energy(m, last) <= best * 1.001) << alpha << ": " << residual_energy(m, last) / best;
  }
  EXPECT_TRUE(testing::throws_error([] { solver("subspace", "{warm_iterations: -1}"); }, Errc::kConfig,
                                    {"warm_iterations", "-1"}));
  EXPECT_TRUE(testing::throws_error([] { solver("randomized", "{warm_iterations: 1}"); }, Errc::kConfig,
                                    {"warm_iterations"}));
}

TEST(Factors, EnergiesAreThoseOfTheWholeMatrixHoweverItIsCut) {
  const Tensor m = random_tensor({3000, 2000}, "large");  // more than one piece
  expect_close(energy(m), m.to(at::kDouble).square().sum().item<double>(), 1e-12);
  const LowRankFactors f{.up = random_tensor({3000, 3}, "large-up"),
                         .down = random_tensor({3, 2000}, "large-down")};
  expect_close(residual_energy(m, f), (m - f.up.matmul(f.down)).to(at::kDouble).square().sum().item<double>(),
               1e-6);
  EXPECT_EQ(energy(at::zeros({0, 5})), 0);
}

}  // namespace
}  // namespace svdlab
