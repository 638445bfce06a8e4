#include "eval/precision_recall.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/io/yaml.h"
#include "tests/eval/feature_sets.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::random_tensor;
using testing::throws_error;

TEST(PrecisionRecall, AgreesWithScipysDistances) {
  const Value golden = load_yaml(SVDLAB_SOURCE_DIR "/tests/golden/folder_metrics.json");
  const auto [a, b] = feature_sets();
  const PrecisionRecall r = precision_recall(a, b.slice(0, 0, 45));
  EXPECT_NEAR(r.precision.value, golden.find("precision")->as_number("precision"), 1e-14);
  EXPECT_NEAR(r.recall.value, golden.find("recall")->as_number("recall"), 1e-14);
  EXPECT_EQ(r.precision.n, 45);
  EXPECT_EQ(r.recall.n, 60);
  EXPECT_LT(r.precision.lo, r.precision.value);
  EXPECT_GT(r.precision.hi, r.precision.value);
}

TEST(PrecisionRecall, ByHandOnALine) {
  // k = 1: the balls of the reference are [-1, 1], [0, 2] and [1, 19]: 1.5 and the border 19 lie inside.
  const Tensor reference = at::tensor({0.0, 1.0, 10.0}).view({3, 1});
  const Tensor candidate = at::tensor({1.5, 19.0, 19.1, -1.1}).view({4, 1});
  EXPECT_EQ(precision_recall(reference, candidate, 1).precision.value, 0.5);
}

TEST(PrecisionRecall, ACollapsedSetIsPreciseAndForgets) {
  const Tensor x = random_tensor({200, 4}, "x"), y = random_tensor({200, 4}, "y") * 0.1;
  const PrecisionRecall r = precision_recall(x, y);
  EXPECT_GT(r.precision.value, 0.95);
  EXPECT_LT(r.recall.value, 0.1);
  const PrecisionRecall same = precision_recall(x, x);
  EXPECT_EQ(same.precision.value, 1.0);
  EXPECT_EQ(same.recall.value, 1.0);
}

TEST(PrecisionRecall, Refusals) {
  const Tensor x = random_tensor({5, 3}, "x");
  Tensor bad = x.clone();
  bad[2][0] = std::nan("");
  EXPECT_TRUE(throws_error([&] { precision_recall(x, x.slice(0, 0, 3)); }, Errc::kInput, {"at least 4"}));
  EXPECT_TRUE(throws_error([&] { precision_recall(x, x, 0); }, Errc::kInput, {"k 0"}));
  EXPECT_TRUE(throws_error([&] { precision_recall(bad, x); }, Errc::kInput, {"picture 2"}));
}

}  // namespace
}  // namespace svdlab
