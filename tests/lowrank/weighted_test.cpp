#include "lowrank/weighted.h"

#include "core/io/yaml.h"
#include "lowrank/factors.h"
#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::random_tensor;
using testing::throws_error;

constexpr double kFp32 = 1e-6;  // what rounding A m B and the factors to fp32 may cost in energy

std::unique_ptr<LowRankSolver> solver(const std::string& name) {
  const Value none = Value::map();
  Fields fields(none, "low_rank");
  return low_rank_solvers().at(name)(fields);
}

LowRankFactors solve(const Tensor& m, const NormWeights& weights, int64_t rank,
                     const std::string& inner = "full") {
  const auto plain = solver(inner);
  return WeightedSolver(*plain, weights).solve(m, rank);
}

Tensor full(const Tensor& w, int64_t n) {
  if (!w.defined()) return at::eye(n, at::kDouble);
  return (w.dim() == 1 ? at::diag(w) : w).to(at::kDouble);
}

Tensor weighted(const NormWeights& w, const Tensor& m) {
  return full(w.rows, m.size(0)).matmul(m.to(at::kDouble)).matmul(full(w.cols, m.size(1)));
}

double weighted_energy(const NormWeights& w, const Tensor& m, const LowRankFactors& f) {
  return energy(weighted(w, m.to(at::kDouble) - f.up.to(at::kDouble).matmul(f.down.to(at::kDouble))));
}

// Eckart and Young for the weighted matrix: with A and B invertible, L -> A L B keeps the rank.
double optimum(const NormWeights& w, const Tensor& m, int64_t rank) {
  return std::get<1>(at::linalg_svd(weighted(w, m))).square().slice(0, rank).sum().item<double>();
}

struct Case {
  std::string name;
  NormWeights weights;
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

const int64_t kRows = 40, kCols = 56;
Tensor example() { return testing::realistic_weight(kRows, kCols, "weighted"); }

Tensor diagonal(int64_t n, const std::string& name) { return random_tensor({n}, name).abs() * 3 + 0.1; }
Tensor dense(int64_t n, const std::string& name) { return random_tensor({n, n}, name) + at::eye(n) * 2; }

Tensor outlier_root(int64_t tokens) {
  const Tensor x = testing::outlier_inputs(tokens, kCols, "weighted-x").to(at::kDouble);
  return gram_root(x.t().matmul(x), 1e-6);
}

std::vector<Case> cases() {
  const Tensor a1 = diagonal(kRows, "a"), a2 = dense(kRows, "A"), b1 = diagonal(kCols, "b");
  const Tensor b2 = dense(kCols, "B"), far = at::logspace(-3, 3, kCols);
  return {{"rows", {a1, {}}},
          {"columns", {{}, b1}},
          {"full_rows", {a2, {}}},
          {"full_columns", {{}, b2}},
          {"diagonals", {a1, b1}},
          {"mixed", {a1, b2}},
          {"both_full", {a2, b2}},
          {"graded", {{}, far}},
          {"huge", {{}, b1.to(at::kDouble) * 1e60}},
          {"tiny", {a1.to(at::kDouble) * 1e-60, {}}},
          {"gram", {{}, outlier_root(400)}}};
}

class WeightedNorms : public ::testing::TestWithParam<Case> {
 protected:
  const NormWeights& weights() const { return GetParam().weights; }
  Tensor m = example();
};

TEST_P(WeightedNorms, OptimalAtEveryRankAndNeverWorseThanThePlainBranch) {
  const double total = energy(weighted(weights(), m));
  int better = 0;
  for (int64_t rank = 0; rank <= kRows; ++rank) {
    SCOPED_TRACE(rank);
    const double got = weighted_energy(weights(), m, solve(m, weights(), rank));
    const double plain = weighted_energy(weights(), m, solve(m, {}, rank));
    const double best = optimum(weights(), m, rank);
    EXPECT_TRUE(got <= best * (1 + kFp32) + 1e-12 * total) << got << " above the optimum " << best;
    EXPECT_TRUE(got >= best * (1 - kFp32) - 1e-12 * total) << got << " below the optimum " << best;
    EXPECT_TRUE(got <= plain * (1 + kFp32) + 1e-12 * total) << got << " above the plain branch's " << plain;
    better += got < 0.99 * plain;
  }
  EXPECT_GT(better, kRows / 2) << "these weights do not tell the norms apart";
}

TEST_P(WeightedNorms, FullRankIsTheMatrix) {
  const LowRankFactors f = solve(m, weights(), kRows);
  const double rest = residual_energy(m, f) / energy(m);
  EXPECT_TRUE(rest <= 1e-11) << rest;
}

TEST_P(WeightedNorms, FactorsKeepTheSolversContract) {
  const LowRankFactors f = solve(m, weights(), 9);
  ASSERT_EQ(f.up.sizes(), (std::vector<int64_t>{kRows, 9}));
  ASSERT_EQ(f.down.sizes(), (std::vector<int64_t>{9, kCols}));
  expect_close(f.down.matmul(f.down.t()), at::eye(9), 1e-5);
  const Tensor norms = f.up.norm(2, 0);
  EXPECT_TRUE((norms.slice(0, 1) <= norms.slice(0, 0, 8) * (1 + 1e-5)).all().item<bool>()) << norms;
}

TEST_P(WeightedNorms, ACommonFactorChangesNothing) {
  const double factor = 0.37;
  NormWeights scaled = weights();
  (scaled.cols.defined() ? scaled.cols : scaled.rows) =
      (scaled.cols.defined() ? scaled.cols : scaled.rows).to(at::kDouble) * factor;
  const LowRankFactors a = solve(m, weights(), 5), b = solve(m, scaled, 5);
  expect_close(b.up.matmul(b.down), a.up.matmul(a.down), 1e-4);
}

TEST_P(WeightedNorms, TallMatricesToo) {
  const NormWeights turned = {weights().cols.defined() ? weights().cols.t() : Tensor(),
                              weights().rows.defined() ? weights().rows.t() : Tensor()};
  const Tensor tall = m.t().contiguous();
  const double got = weighted_energy(turned, tall, solve(tall, turned, 7));
  expect_close(got, optimum(weights(), m, 7), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Norms, WeightedNorms, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

class WeightedSolvers : public ::testing::TestWithParam<std::string> {};

TEST_P(WeightedSolvers, WithoutWeightsTheCallIsTheInnerSolvers) {
  const LowRankFactors a = solve(example(), {}, 8, GetParam()), b = solver(GetParam())->solve(example(), 8);
  expect_identical(a.up, b.up);
  expect_identical(a.down, b.down);
}

TEST_P(WeightedSolvers, IdentitiesAreThePlainNorm) {
  const Tensor plain_up_down = [&] {
    const LowRankFactors f = solver(GetParam())->solve(example(), 8);
    return f.up.matmul(f.down);
  }();
  for (const NormWeights& w : {NormWeights{at::ones({kRows}), {}}, NormWeights{{}, at::eye(kCols)},
                               NormWeights{at::eye(kRows) * 3, at::ones({kCols}) * 0.7}}) {
    const LowRankFactors f = solve(example(), w, 8, GetParam());
    expect_close(f.up.matmul(f.down), plain_up_down, 2e-6);
  }
}

TEST_P(WeightedSolvers, AsNearToTheOptimumAsTheInnerSolver) {
  const NormWeights w = {diagonal(kRows, "a"), outlier_root(400)};
  for (const int64_t rank : {1, 8, 20}) {
    const double got = weighted_energy(w, example(), solve(example(), w, rank, GetParam()));
    EXPECT_TRUE(got <= 1.005 * optimum(w, example(), rank)) << rank << ": " << got;
  }
}

TEST_P(WeightedSolvers, ZeroMatricesAndRanksThatDoNotFit) {
  const NormWeights w = {{}, diagonal(kCols, "b")};
  const LowRankFactors f = solve(at::zeros({kRows, kCols}), w, 4, GetParam());
  expect_identical(f.up.matmul(f.down).abs(), at::zeros({kRows, kCols}));
  EXPECT_TRUE(throws_error([&] { solve(example(), w, kRows + 1, GetParam()); }, Errc::kConfig, {"rank 41"}));
}

INSTANTIATE_TEST_SUITE_P(All, WeightedSolvers, ::testing::ValuesIn(low_rank_solvers().names()));

// Nothing of the derivation: every direction of a 2 x 2 rank-one matrix on a grid, each with its best scale.
TEST(WeightedSolver, NoRankOneMatrixOnAGridIsBetter) {
  const Tensor m = at::tensor({1.0f, -0.4f, 0.3f, 2.0f}).view({2, 2});
  const NormWeights w = {at::tensor({1.0, 0.2, 0.5, 3.0}).view({2, 2}), at::tensor({4.0, 0.5})};
  const int64_t steps = 1440;
  const Tensor angle = at::arange(steps, at::kDouble) * (M_PI / static_cast<double>(steps));
  const Tensor directions = at::stack({angle.cos(), angle.sin()});                   // [2, steps]
  const Tensor left = full(w.rows, 2).matmul(directions);                            // A u
  const Tensor right = full(w.cols, 2).t().matmul(directions);                       // B^T v
  const Tensor along = left.t().matmul(weighted(w, m)).matmul(right);                // <A u v^T B, A m B>
  const Tensor lengths = left.square().sum(0).unsqueeze(1) * right.square().sum(0);  // ||A u v^T B||^2
  const double brute = (energy(weighted(w, m)) - (along.square() / lengths).max()).item<double>();
  const double got = weighted_energy(w, m, solve(m, w, 1));
  EXPECT_TRUE(got <= brute * (1 + kFp32)) << got << " above " << brute;
  EXPECT_TRUE(got >= brute * (1 - 1e-4)) << got << " below what the grid can miss of " << brute;
}

TEST(WeightedSolver, ASingularColumnWeightIsMinimisedToo) {
  const Tensor m = example();
  Tensor b = dense(kCols, "B").to(at::kDouble);
  b.slice(1, 24).zero_();
  b[3].zero_();
  for (const int64_t rank : {1, 8, 23}) {
    const LowRankFactors f = solve(m, {{}, b}, rank);
    expect_close(weighted_energy({{}, b}, m, f), optimum({{}, b}, m, rank), 1e-5);
    EXPECT_TRUE(energy(f.up.matmul(f.down)) <= energy(m) * (1 + kFp32)) << "where B is blind L must not grow";
  }
}

// LoRD as its paper has it: the leading eigenvectors V of the output covariance W G W^T, and L = V V^T W.
TEST(WeightedSolver, WhitenedWeightIsTheProjectionOnTheOutputsLeadingDirections) {
  const Tensor w = example(), x = testing::outlier_inputs(400, kCols, "weighted-x").to(at::kDouble);
  const Tensor wide = w.to(at::kDouble), gram = x.t().matmul(x);
  const auto [values, vectors] = at::linalg_eigh(wide.matmul(gram).matmul(wide.t()));
  const Tensor v = vectors.slice(1, kRows - 8);
  const LowRankFactors f = solve(w, {{}, gram_root(gram, 1e-9)}, 8);
  expect_close(f.up.matmul(f.down), v.matmul(v.t()).matmul(wide).to(at::kFloat), 1e-4);
}

TEST(WeightedSolver, BadWeightsAreRefused) {
  const auto refused = [](const NormWeights& w, Errc code, const std::string& part) {
    return throws_error([&] { solve(example(), w, 2); }, code, {part});
  };
  Tensor nan = at::ones({kCols}), zero = at::ones({kRows});
  nan[3] = std::nan("");
  zero[5] = 0;
  EXPECT_TRUE(refused({{}, nan}, Errc::kInput, "column weight has a NaN"));
  EXPECT_TRUE(refused({zero, {}}, Errc::kInput, "singular"));
  EXPECT_TRUE(refused({at::ones({kRows, kRows}), {}}, Errc::kInput, "singular"));
  EXPECT_TRUE(refused({at::ones({kRows + 1}), {}}, Errc::kUnexpected, "do not fit"));
  EXPECT_TRUE(refused({{}, at::ones({kCols, 2})}, Errc::kUnexpected, "column weight"));
}

Tensor gram_of(const Tensor& x) { return x.to(at::kDouble).t().matmul(x.to(at::kDouble)); }

TEST(GramRoot, TimesItsTransposeIsTheDampedGram) {
  for (const int64_t tokens : {400, 12}) {  // 12 tokens of 56 channels: a singular matrix
    const Tensor gram = gram_of(testing::outlier_inputs(tokens, kCols, "root"));
    const Tensor root = gram_root(gram, 1e-6);
    expect_identical(root, root.tril());
    expect_close(root.matmul(root.t()), gram + at::diag(gram.diagonal()) * 1e-6, 1e-14);
  }
}

TEST(GramRoot, SingularGramsOfManyChannelsFactor) {
  Tensor x = random_tensor({40, 1024}, "root-wide") * at::logspace(-4, 4, 1024);
  EXPECT_TRUE(gram_root(gram_of(x), 1e-6).isfinite().all().item<bool>());
}

TEST(GramRoot, SmoothingDividesItsRows) {
  const Tensor x = testing::outlier_inputs(20, kCols, "root"), s = diagonal(kCols, "root-s").to(at::kDouble);
  const Tensor smoothed = gram_of(x) / s.unsqueeze(0) / s.unsqueeze(1);
  expect_close(gram_root(smoothed, 1e-4), gram_root(gram_of(x), 1e-4) / s.unsqueeze(1), 1e-9);
}

TEST(GramRoot, DeadChannelsWeighNothing) {
  Tensor x = testing::outlier_inputs(400, kCols, "root");
  x.select(1, 7).zero_();
  const Tensor root = gram_root(gram_of(x), 1e-6);
  expect_identical(root[7], at::zeros({kCols}, at::kDouble));
  const LowRankFactors f = solve(example(), {{}, root}, 8);
  EXPECT_TRUE(energy(f.up.matmul(f.down)) <= energy(example()));
}

TEST(GramRoot, WhatIsNoGramIsRefused) {
  Tensor g = at::eye(4, at::kDouble);
  g[0][1] = g[1][0] = 2;
  EXPECT_TRUE(throws_error([&] { gram_root(g, 1e-6); }, Errc::kInput, {"4 channels", "1e-06"}));
  g[0][1] = g[1][0] = std::nan("");
  EXPECT_TRUE(throws_error([&] { gram_root(g, 1e-6); }, Errc::kInput, {"4 channels"}));
}

}  // namespace
}  // namespace svdlab
