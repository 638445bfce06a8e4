#include "eval/kid.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/io/yaml.h"
#include "eval/quantile.h"
#include "tests/eval/feature_sets.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::random_tensor;
using testing::throws_error;

TEST(Kid, AgreesWithTorchmetrics) {
  const Value golden = load_yaml(SVDLAB_SOURCE_DIR "/tests/golden/folder_metrics.json");
  const auto [a, b] = feature_sets();
  const double expected = golden.find("kid")->as_number("kid");
  EXPECT_TRUE(std::abs(polynomial_mmd2(a, b) - expected) <= 1e-12) << polynomial_mmd2(a, b);
  const Interval whole = kid(a, b, {.subsets = 3, .subset_size = 60});
  EXPECT_TRUE(std::abs(whole.value - expected) <= 1e-12) << "a subset of all is the set";
  EXPECT_TRUE(std::isnan(whole.lo) && std::isnan(whole.hi));
}

TEST(Kid, ByHand) {
  // One feature: k(x, y) = (xy + 1)^3. Sets {0, 1} and {2, 0, 1}.
  const Tensor a = at::tensor({0.0, 1.0}).view({2, 1}), b = at::tensor({2.0, 0.0, 1.0}).view({3, 1});
  const double within_a = 1, within_b = (1 + 27 + 1) / 3.0, across = (1 + 1 + 1 + 27 + 1 + 8) / 6.0;
  EXPECT_NEAR(polynomial_mmd2(a, b), within_a + within_b - 2 * across, 1e-14);
}

TEST(Kid, IsUnbiasedAndItsIntervalHoldsTheTruth) {
  int64_t held = 0;
  double sum = 0;
  for (int trial = 0; trial < 20; ++trial) {
    const std::string name = std::to_string(trial);
    const Interval i = kid(random_tensor({80, 8}, "kid x" + name), random_tensor({60, 8}, "kid y" + name),
                           {.seed = static_cast<uint64_t>(trial)});
    held += i.lo <= 0 && 0 <= i.hi;
    sum += i.value;
    EXPECT_EQ(i.n, 60);
    EXPECT_LT(i.lo, i.hi);
  }
  EXPECT_GE(held, 16);
  EXPECT_NEAR(sum / 20, 0.0, 0.02);
  const Interval far = kid(random_tensor({80, 8}, "kid x"), random_tensor({80, 8}, "kid y") + 1);
  EXPECT_GT(far.lo, 0.5);
}

TEST(Kid, APictureBesideItsPartnerPullsItDownUnlessPaired) {
  double plain = 0, paired = 0;
  for (uint64_t trial = 0; trial < 10; ++trial) {
    const Tensor x = random_tensor({60, 16}, "pair" + std::to_string(trial)) * 3;
    plain += kid(x, x, {.seed = trial}).value / 10;
    const Interval i = kid(x, x, {.seed = trial, .paired = true});
    EXPECT_TRUE(i.lo <= 0 && 0 <= i.hi) << i.lo << " " << i.hi;
    paired += i.value / 10;
  }
  EXPECT_LT(plain, -10);
  EXPECT_NEAR(paired, 0, -plain / 10);
}

TEST(Kid, DependsOnTheSeedAndNothingElse) {
  const Tensor a = random_tensor({50, 8}, "kid a"), b = random_tensor({50, 8}, "kid b");
  EXPECT_EQ(kid(a, b).value, kid(a.to(at::kDouble), b).value);
  EXPECT_EQ(kid(a, b).hi, kid(a, b).hi);
  EXPECT_NE(kid(a, b).value, kid(a, b, {.seed = 1}).value);
}

TEST(Kid, Refusals) {
  const Tensor x = random_tensor({5, 3}, "x");
  Tensor bad = x.clone();
  bad[3][1] = std::nan("");
  EXPECT_TRUE(throws_error([&] { kid(x, at::zeros({5, 4})); }, Errc::kInput, {"[5, 3]", "[5, 4]"}));
  EXPECT_TRUE(throws_error([&] { polynomial_mmd2(x, x.slice(0, 0, 1)); }, Errc::kInput, {"at least 2"}));
  EXPECT_TRUE(throws_error([&] { kid(x, x, {.subset_size = 6}); }, Errc::kInput, {"6 out of 5"}));
  EXPECT_TRUE(throws_error([&] { kid(x, x, {.subset_size = 3, .paired = true}); }, Errc::kInput,
                           {"3 out of 5 paired", "2 to 2"}));
  EXPECT_TRUE(
      throws_error([&] { kid(x, x.slice(0, 0, 4), {.paired = true}); }, Errc::kInput, {"5 and 4 paired"}));
  EXPECT_TRUE(throws_error([&] { kid(x, bad); }, Errc::kInput, {"picture 3", "not finite"}));
}

TEST(Quantile, InterpolatesLinearly) {
  EXPECT_EQ(quantile({1, 2, 4}, 0), 1);
  EXPECT_EQ(quantile({1, 2, 4}, 0.75), 3);
  EXPECT_EQ(quantile({1, 2, 4}, 1), 4);
  EXPECT_EQ(quantile({7}, 0.3), 7);
}

}  // namespace
}  // namespace svdlab
