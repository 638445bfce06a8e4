#include "core/ir/fisher.h"

#include <limits>

#include "core/ir/stats.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;

Tensor gradient(int i) { return testing::random_tensor({6, 9}, "fisher-" + std::to_string(i)); }

WeightFisher fisher_of(int begin, int end, bool full = true) {
  WeightFisher f;
  for (int i = begin; i < end; ++i) f.add(gradient(i), full);
  return f;
}

TEST(WeightFisher, IsTheMeanOfSquaresAndItsMeans) {
  const WeightFisher f = fisher_of(0, 5);
  Tensor squares = at::zeros({6, 9}, at::kDouble);
  for (int i = 0; i < 5; ++i) squares += gradient(i).to(at::kDouble).square() / 5;
  EXPECT_EQ(f.samples, 5);
  expect_close(f.full_mean(), squares, 1e-14);
  expect_close(f.row_mean(), squares.mean(1), 1e-14);
  expect_close(f.col_mean(), squares.mean(0), 1e-14);
}

TEST(WeightFisher, MergedShardsAreOnePass) {
  WeightFisher merged = fisher_of(0, 2);
  merged.merge(WeightFisher());
  merged.merge(fisher_of(2, 3));
  merged.merge(fisher_of(3, 7));
  const WeightFisher one = fisher_of(0, 7);
  EXPECT_EQ(merged.samples, 7);
  expect_close(merged.rows, one.rows, 1e-14);
  expect_close(merged.cols, one.cols, 1e-14);
  expect_close(merged.full, one.full, 1e-14);
}

TEST(WeightFisher, AShardStaysAsItWas) {
  const WeightFisher shard = fisher_of(0, 3);
  const Tensor before = shard.full.clone();
  WeightFisher total;
  total.merge(shard);
  total.merge(fisher_of(3, 5));
  expect_identical(shard.full, before);
}

TEST(WeightFisher, GradientsThatFp32CannotSquareCount) {
  WeightFisher f;
  f.add(at::full({2, 3}, 1e-30f), false);
  f.add(at::full({2, 3}, 1e30f), false);
  expect_close(f.row_mean(), at::full({2}, 5e59, at::kDouble), 1e-6);
  EXPECT_FALSE(f.full.defined());
}

TEST(WeightFisher, WhatDoesNotFitIsRefused) {
  WeightFisher f = fisher_of(0, 1);
  EXPECT_TRUE(testing::throws_error([&] { f.add(at::zeros({9, 6}), true); }, Errc::kUnexpected, {"[9, 6]"}));
  EXPECT_TRUE(testing::throws_error([&] { f.merge(fisher_of(1, 2, false)); }, Errc::kInput, {"full"}));
  WeightFisher other;
  other.add(at::zeros({2, 3}), true);
  EXPECT_TRUE(testing::throws_error([&] { f.merge(other); }, Errc::kInput, {"6 x 9", "2 x 3"}));
}

TEST(WeightFisher, StatisticsCarryItAndRefuseWhatIsNotFinite) {
  const auto stats_with = [](WeightFisher f) {
    ActivationStats s;
    s.add(at::ones({2, 9}), at::arange(2));
    s.fisher["blocks.0.up"] = std::move(f);
    return s;
  };
  ActivationStats s = stats_with(fisher_of(0, 2));
  s.merge(stats_with(fisher_of(2, 4)));
  EXPECT_EQ(s.fisher.at("blocks.0.up").samples, 4);
  EXPECT_NO_THROW(s.require_finite("g"));
  EXPECT_TRUE(testing::throws_error([&] { stats_with({}).require_finite("g"); }, Errc::kInput,
                                    {"blocks.0.up", "no sample"}));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Tensor g = gradient(0).clone();
    g[3][4] = bad;
    WeightFisher f;
    f.add(g, true);
    EXPECT_TRUE(testing::throws_error([&] { stats_with(f).require_finite("g"); }, Errc::kInput,
                                      {"blocks.0.up", "NaN or infinite"}));
  }
}

}  // namespace
}  // namespace svdlab
