#include "eval/feature_set.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/io/npz.h"
#include "core/io/yaml.h"
#include "eval/frechet_interval.h"
#include "eval/kid.h"
#include "eval/set_metrics.h"
#include "tests/eval/pattern.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::TempDir;
using testing::throws_error;

const std::string kGolden = SVDLAB_SOURCE_DIR "/tests/golden/";

// The features of tests/golden/make_statistics.py.
Tensor features(int64_t n, int64_t d, double shift) {
  const Tensor i = at::arange(n, at::kDouble).unsqueeze(1), j = at::arange(d, at::kDouble).unsqueeze(0);
  return (i * (j + 1) * 0.7 + shift).sin() + (i * 0.013 * (j + 3)).cos() * (1 + shift) +
         j * 0.05 * (1 + shift);
}

FeatureSet set_of(const Tensor& x, const std::string& source = "made") {
  std::vector<Tensor> rows = x.unbind(0);
  return feature_set(source, "net", std::vector<std::string>(rows.size(), "x.png"), rows);
}

TEST(FeatureSet, FrechetDistancesArePytorchFids) {
  const Value golden = load_yaml(kGolden + "statistics.json");
  ASSERT_EQ(golden.find("frechet")->items.size(), 3u);
  for (const Value& v : golden.find("frechet")->items) {
    Fields f(v, "case");
    const int64_t n = f.integer("n", 0), d = f.integer("d", 0);
    const double distance =
        frechet_distance(feature_stats(features(n, d, 0)), feature_stats(features(n, d, 0.3)));
    testing::expect_close(distance, f.number("frechet", 0), 1e-8);
  }
}

TEST(FeatureSet, StatisticsOfNumpyAreOurs) {
  const FeatureSet ours = set_of(features(300, 8, 0.3)),
                   stored = load_feature_set(kGolden + "statistics/stored.npz");
  testing::expect_close(stored.stats.mean, ours.stats.mean, 1e-13);
  testing::expect_close(stored.stats.covariance, ours.stats.covariance, 1e-12);
  EXPECT_EQ(stored.n, 0);
  EXPECT_FALSE(stored.features.defined());
  Measurements m;
  add_set_metrics(set_of(features(300, 8, 0)), stored, false, "net", m);
  ASSERT_EQ(m.values.size(), 1u);
  EXPECT_NEAR(m.values[0].interval.value, 0.2436868520419324, 1e-9);
  EXPECT_TRUE(std::isnan(m.values[0].interval.lo));
  EXPECT_EQ(m.values[0].compared_with, "made");
}

TEST(FeatureSet, WhatIsSavedIsRead) {
  const TempDir dir;
  const FeatureSet set = set_of(features(20, 3, 0.1));
  save_feature_set(dir.file("s.npz"), set);
  const FeatureSet back = load_feature_set(dir.file("s.npz"));
  testing::expect_identical(back.features, set.features);
  testing::expect_identical(back.stats.covariance, set.stats.covariance);
  EXPECT_EQ(back.n, 20);
  save_npz(dir.file("kid.npz"), {{"feats", set.features}});
  testing::expect_identical(load_feature_set(dir.file("kid.npz")).stats.mean, set.stats.mean);
}

TEST(FeatureSet, FilesOfOtherShapesAreRefused) {
  const TempDir dir;
  const auto refuses = [&](const std::vector<std::pair<std::string, Tensor>>& arrays,
                           const std::vector<std::string>& parts) {
    save_npz(dir.file("s.npz"), arrays);
    return throws_error([&] { load_feature_set(dir.file("s.npz")); }, Errc::kInput, parts);
  };
  const Tensor mu = at::zeros({3}, at::kDouble), sigma = at::eye(3, at::kDouble);
  EXPECT_TRUE(refuses({{"mu", mu}}, {"s.npz", "no array sigma", "\"mu\""}));
  EXPECT_TRUE(refuses({{"mu", mu}, {"sigma", at::eye(4)}}, {"mu is [3]", "sigma [4, 4]"}));
  EXPECT_TRUE(refuses({{"mu", sigma}, {"sigma", sigma}}, {"mu is [3, 3]"}));
  EXPECT_TRUE(refuses({{"mu", mu / 0.0}, {"sigma", sigma}}, {"not finite"}));
  EXPECT_TRUE(refuses({{"mu", mu}, {"sigma", -sigma}}, {"no covariance"}));
  EXPECT_TRUE(refuses({{"mu", mu}, {"sigma", at::ones({3, 3}).triu()}}, {"differs from its transpose"}));
  EXPECT_TRUE(refuses({{"mu", mu}, {"sigma", sigma}, {"n", mu}}, {"n is [3]"}));
  EXPECT_TRUE(refuses({{"feats", mu}}, {"feats is [3]"}));
  EXPECT_TRUE(refuses({{"mu", mu}, {"sigma", sigma}, {"feats", at::zeros({5, 4})}}, {"feats is [5, 4]"}));
}

TEST(FeatureSet, FeaturesThatAreNotFiniteAreNamed) {
  std::vector<Tensor> rows(5, at::zeros({2}));
  rows[1] = rows[4] = at::full({2}, std::nan(""));
  EXPECT_TRUE(throws_error(
      [&] {
        feature_set("dir", "net", {"a", "b", "c", "d", "e"}, rows);
      },
      Errc::kInput, {"dir", "2 of 5 pictures under net", "b, e"}));
  EXPECT_TRUE(
      throws_error([&] { feature_set("dir", "net", {"a"}, {rows[0]}); }, Errc::kInput, {"1 pictures"}));
  rows[1] = at::zeros({3});
  EXPECT_TRUE(throws_error(
      [&] {
        feature_set("dir", "net", {"a", "b", "c", "d", "e"}, rows);
      },
      Errc::kInput, {"2 features for a and 3 for b"}));
}

TEST(SetMetrics, NumbersOfFeaturesMustAgreeAndFewPicturesAreNoted) {
  Measurements m;
  EXPECT_TRUE(throws_error(
      [&] { add_set_metrics(set_of(features(9, 4, 0)), set_of(features(9, 5, 0), "b"), false, "n", m); },
      Errc::kInput, {"made has 4 features", "b has 5"}));
  add_set_metrics(set_of(features(6, 8, 0)), set_of(features(7, 8, 0.2)), false, "net", m);
  ASSERT_EQ(m.values.size(), 4u);
  EXPECT_NE(m.notes.at(0).find("6 pictures are few for 8 features, whose covariance they cannot"),
            std::string::npos);
}

TEST(SetMetrics, KidOfTorchmetricsLiesInTheInterval) {
  const Value golden = load_yaml(kGolden + "statistics.json");
  const Tensor a = features(200, 8, 0), b = features(200, 8, 1.0);
  testing::expect_close(polynomial_mmd2(a, b), golden.find("kid")->as_number("kid"), 1e-10);
  const double mean = golden.find("kid_100_subsets_of_100")->as_number("kid");
  const Interval i = kid(a, b);
  EXPECT_TRUE(i.lo <= mean && mean <= i.hi) << i.lo << " " << mean << " " << i.hi;
  EXPECT_GT(i.lo, 0) << "an interval that holds 0 would hold almost anything";
}

TEST(FrechetInterval, AgainstFixedStatisticsSurroundsTheValue) {
  const FeatureStats reference = feature_stats(features(300, 6, 0));
  const Interval i = frechet_interval(reference, features(200, 6, 0.3), "f");
  EXPECT_TRUE(i.lo < i.value && i.value < i.hi) << i.lo << " " << i.value << " " << i.hi;
  EXPECT_EQ(i.n, 200);
}

}  // namespace
}  // namespace svdlab
