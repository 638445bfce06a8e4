#include "eval/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/rng.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::throws_error;

std::vector<double> normals(size_t n, const std::string& name) {
  const Rng rng(1, name);
  std::vector<double> out;
  for (size_t i = 0; i < n; ++i) out.push_back(rng.normal(i));
  return out;
}

TEST(Bootstrap, MatchesTheNormalTheory) {
  const std::vector<double> items = normals(400, "items");
  const Interval i = bootstrap_mean(items, "psnr");
  double mean = 0, square = 0;
  for (const double x : items) mean += x / 400, square += x * x / 400;
  const double half = 1.96 * std::sqrt((square - mean * mean) / 400);
  EXPECT_NEAR(i.value, mean, 1e-12);
  EXPECT_NEAR(i.hi - i.lo, 2 * half, 0.12 * half);
  EXPECT_NEAR((i.hi + i.lo) / 2, mean, 0.1 * half);
  EXPECT_EQ(i.n, 400);
}

TEST(Bootstrap, CoversTheTruthAboutNinetyFiveTimesInHundred) {
  int covered = 0;
  for (int trial = 0; trial < 200; ++trial) {
    const Interval i = bootstrap_mean(normals(50, "trial " + std::to_string(trial)), "coverage");
    covered += i.lo <= 0 && 0 <= i.hi;
  }
  EXPECT_GE(covered, 178);
  EXPECT_LE(covered, 199);
}

TEST(Bootstrap, DependsOnTheNameAlone) {
  const std::vector<double> items = normals(30, "items");
  const Interval a = bootstrap_mean(items, "psnr"), b = bootstrap_mean(items, "psnr"),
                 c = bootstrap_mean(items, "ssim");
  EXPECT_EQ(a.lo, b.lo);
  EXPECT_EQ(a.hi, b.hi);
  EXPECT_NE(a.lo, c.lo);
  EXPECT_EQ(a.value, c.value);
}

TEST(Bootstrap, ConstantsAndSingleItemsHaveNoWidth) {
  for (const auto& items : {std::vector<double>{2.5}, std::vector<double>(10, 2.5)}) {
    const Interval i = bootstrap_mean(items, "x");
    EXPECT_EQ(i.value, 2.5);
    EXPECT_EQ(i.lo, 2.5);
    EXPECT_EQ(i.hi, 2.5);
  }
}

TEST(Bootstrap, PairingRemovesWhatBothSidesShare) {
  std::vector<double> a = normals(100, "base"), b = a;
  const std::vector<double> gain = normals(100, "gain");
  for (size_t i = 0; i < a.size(); ++i) a[i] = 10 * a[i] + 0.3 + 0.1 * gain[i], b[i] *= 10;
  const Interval paired = bootstrap_mean_difference(a, b, "gain");
  EXPECT_NEAR(paired.value, 0.3, 0.05);
  EXPECT_GT(paired.lo, 0.2);
  EXPECT_LT(paired.hi, 0.4);
  EXPECT_GT(bootstrap_mean(a, "a").hi - bootstrap_mean(a, "a").lo, 1.0);
}

TEST(Bootstrap, OneBadItemIsNotHidden) {
  std::vector<double> items = normals(100, "items");
  items[42] = std::nan("");
  EXPECT_TRUE(std::isnan(bootstrap_mean(items, "x").value));
  EXPECT_TRUE(std::isnan(bootstrap_mean(items, "x").lo));
  items[42] = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(std::isinf(bootstrap_mean(items, "x").value));
  EXPECT_TRUE(std::isnan(bootstrap_mean(items, "x").hi));
}

TEST(Bootstrap, Refusals) {
  EXPECT_TRUE(throws_error([] { bootstrap_mean({}, "psnr"); }, Errc::kInput, {"psnr", "no items"}));
  EXPECT_TRUE(throws_error(
      [] {
        bootstrap_mean_difference({1}, {1, 2}, "psnr");
      },
      Errc::kInput, {"1 items against 2"}));
}

}  // namespace
}  // namespace svdlab
