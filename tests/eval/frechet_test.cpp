#include "eval/frechet.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/io/yaml.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::random_tensor;
using testing::throws_error;

FeatureStats gaussian(const Tensor& mean, const Tensor& covariance) { return {mean, covariance}; }
FeatureStats unit(int64_t d, double mean) {
  return gaussian(at::full({d}, mean, at::kDouble), at::eye(d, at::kDouble));
}

TEST(Frechet, ShiftedUnitGaussians) {
  expect_close(frechet_distance(unit(512, 0), unit(512, 1)), 512.0, 1e-9);
}

TEST(Frechet, DiagonalCovariancesHaveAClosedForm) {
  const Tensor a = at::arange(1, 9, at::kDouble), b = at::arange(8, 0, -1, at::kDouble).square();
  const Tensor zero = at::zeros({8}, at::kDouble);
  const double expected = (a.sqrt() - b.sqrt()).square().sum().item<double>();
  expect_close(frechet_distance(gaussian(zero, at::diag(a)), gaussian(zero, at::diag(b))), expected, 1e-12);
}

TEST(Frechet, IdenticalSetsAreAtZero) {
  const FeatureStats s = feature_stats(random_tensor({500, 64}, "features"));
  const double d = frechet_distance(s, s);
  EXPECT_GE(d, 0.0);
  EXPECT_LE(d, 1e-8);
}

TEST(Frechet, FewerItemsThanFeaturesIsStillFinite) {
  const double d = frechet_distance(feature_stats(random_tensor({10, 64}, "a")),
                                    feature_stats(random_tensor({12, 64}, "b")));
  EXPECT_GT(d, 1.0);
  EXPECT_LT(d, 200.0);
}

TEST(Frechet, AgreesWithTheGeneralEigenvalueForm) {
  const Value golden = load_yaml(SVDLAB_SOURCE_DIR "/tests/golden/image_metrics.json");
  const Tensor i = at::arange(200, at::kDouble).unsqueeze(1), j = at::arange(6, at::kDouble).unsqueeze(0);
  const Tensor a = (i * (j + 1) * 0.7).sin() + j;
  const Tensor b = (i * (j + 2) * 0.3).cos() * (j + 1) + i.remainder(5) * 0.2;
  const double expected = golden.find("frechet")->as_number("frechet");
  expect_close(frechet_distance(feature_stats(a), feature_stats(b)), expected, 1e-11);
  expect_close(frechet_distance(feature_stats(b), feature_stats(a)), expected, 1e-11);
}

TEST(Frechet, StatsAreThoseOfNumpy) {
  const FeatureStats s = feature_stats(at::tensor({1.0f, 2.0f, 3.0f, 6.0f}).view({2, 2}));
  expect_close(s.mean, at::tensor({2.0, 4.0}, at::kDouble), 1e-15);
  expect_close(s.covariance, at::tensor({2.0, 4.0, 4.0, 8.0}, at::kDouble).view({2, 2}), 1e-15);
  EXPECT_EQ(s.mean.scalar_type(), at::kDouble);
}

TEST(Frechet, OneBadFeatureIsNotHidden) {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    Tensor x = random_tensor({100, 8}, "x");
    x[50][3] = bad;
    EXPECT_TRUE(std::isnan(frechet_distance(feature_stats(x), unit(8, 0))));
    EXPECT_TRUE(std::isnan(frechet_distance(unit(8, 0), feature_stats(x))));
  }
}

TEST(Frechet, Refusals) {
  EXPECT_TRUE(throws_error([] { feature_stats(at::zeros({1, 8})); }, Errc::kInput, {"[1, 8]"}));
  EXPECT_TRUE(throws_error([] { feature_stats(at::zeros({8})); }, Errc::kInput, {"[n, D]"}));
  EXPECT_TRUE(
      throws_error([] { frechet_distance(unit(4, 0), unit(5, 0)); }, Errc::kInput, {"[4, 4]", "[5, 5]"}));
}

}  // namespace
}  // namespace svdlab
