#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "eval/cosine.h"
#include "eval/relative_error.h"
#include "eval/sqnr.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::random_tensor;
using testing::throws_error;

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

Tensor with(Tensor t, int64_t index, double value) {
  t = t.clone();
  t.view(-1)[index] = value;
  return t;
}

TEST(Sqnr, KnownValues) {
  const Tensor x = at::tensor({3.0, 4.0});
  EXPECT_NEAR(sqnr_db(x, at::tensor({3.0, 4.5})), 20.0, 1e-6);
  EXPECT_NEAR(sqnr_db(x, at::zeros({2})), 0.0, 1e-12);
  EXPECT_NEAR(sqnr_db(x, -x), -20 * std::log10(2.0), 1e-12);
  EXPECT_EQ(sqnr_db(x, x), kInf);
  EXPECT_EQ(sqnr_db(at::zeros({2}), at::zeros({2})), kInf);
  EXPECT_EQ(sqnr_db(at::zeros({2}), x), -kInf);
}

TEST(Sqnr, TenthOfAStepOfUniformNoise) {
  const Tensor x = random_tensor({1000, 1000}, "x").to(at::kDouble),
               noise = random_tensor({1000, 1000}, "noise");
  EXPECT_NEAR(sqnr_db(x, x + noise * 0.01), 40.0, 0.02);
}

TEST(Sqnr, IsOfNormsNotOfMeans) {
  SqnrAccumulator sum;
  sum.add(at::full({10}, 1.0), at::full({10}, 0.9));
  sum.add(at::full({10}, 10.0), at::full({10}, 10.0));
  EXPECT_NEAR(sum.db(), 10 * std::log10((10 + 1000) / 0.1), 1e-4);
}

TEST(Sqnr, MergeIsOnePass) {
  const Tensor x = random_tensor({64, 32}, "x"), y = x + 0.1 * random_tensor({64, 32}, "e");
  SqnrAccumulator whole, first, second;
  whole.add(x, y);
  first.add(x.narrow(0, 0, 20), y.narrow(0, 0, 20));
  second.add(x.narrow(0, 20, 44), y.narrow(0, 20, 44));
  first.merge(second);
  EXPECT_NEAR(first.db(), whole.db(), 1e-12);
  EXPECT_EQ(first.elements, 64 * 32);
}

TEST(Sqnr, NothingIsNoPerfectScore) {
  EXPECT_TRUE(throws_error([] { SqnrAccumulator().db(); }, Errc::kInput, {"no tensor"}));
}

TEST(RelativeError, KnownValues) {
  const Tensor x = at::tensor({3.0, 4.0});
  EXPECT_NEAR(relative_error(x, at::tensor({3.0, 4.5})), 0.1, 1e-7);
  EXPECT_EQ(relative_error(x, x), 0.0);
  EXPECT_EQ(relative_error(x, -x), 2.0);
  EXPECT_EQ(relative_error(at::zeros({2}), at::zeros({2})), 0.0);
  EXPECT_EQ(relative_error(at::zeros({2}), x), kInf);
}

TEST(Cosine, KnownValues) {
  const Tensor x = at::tensor({3.0, 4.0});
  EXPECT_EQ(cosine(x, 7 * x), 1.0);
  EXPECT_EQ(cosine(x, -x), -1.0);
  EXPECT_NEAR(cosine(x, at::tensor({4.0, -3.0})), 0.0, 1e-15);
  EXPECT_NEAR(cosine(x, at::tensor({1.0, 0.0})), 0.6, 1e-7);
  EXPECT_TRUE(std::isnan(cosine(x, at::zeros({2}))));
  const Tensor y = random_tensor({77777}, "y");
  EXPECT_LE(cosine(y, y * 3), 1.0);
}

TEST(TensorMetrics, OneBadElementOfManyShows) {
  const Tensor x = random_tensor({256, 100}, "x"), y = x + 0.01;
  for (const double bad : {kNan, kInf}) {
    for (const int64_t at : {int64_t{0}, int64_t{12345}, x.numel() - 1}) {
      const Tensor broken = with(y, at, bad);
      EXPECT_FALSE(sqnr_db(x, broken) > -kInf) << bad << " at " << at;
      EXPECT_FALSE(relative_error(x, broken) < kInf);
      EXPECT_TRUE(std::isnan(cosine(x, broken)));
      EXPECT_TRUE(std::isnan(sqnr_db(with(x, at, bad), broken)));
      EXPECT_TRUE(std::isnan(relative_error(with(x, at, bad), broken)));
    }
  }
  EXPECT_TRUE(std::isnan(sqnr_db(x, with(x, 7, kNan))));
}

TEST(TensorMetrics, OneBadRowOfManyCosts) {
  const Tensor x = random_tensor({1000, 64}, "x");
  Tensor y = x * (1 + 1e-4);
  EXPECT_NEAR(sqnr_db(x, y), 80.0, 0.1);
  y[500] *= -1;
  EXPECT_LT(sqnr_db(x, y), 25.0);
}

TEST(TensorMetrics, AreTakenInDouble) {
  const Tensor x = at::full({1 << 20}, 1.0f), y = at::full({1 << 20}, 1.0f + 0x1p-23f);
  EXPECT_NEAR(relative_error(x, y), 0x1p-23, 1e-18);
  EXPECT_NEAR(sqnr_db(at::full({4}, 1e30f), at::full({4}, 0.9e30f)), 20.0, 1e-5);  // squares overflow a float
  EXPECT_NEAR(relative_error(x.to(at::kBFloat16), y.to(at::kHalf)), 0.0, 1e-12);
}

TEST(TensorMetrics, ThreadsAndStridesDoNotMatter) {
  const Tensor x = random_tensor({300, 500}, "x"), y = x + 0.1 * random_tensor({300, 500}, "e");
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const double one = sqnr_db(x, y);
  at::set_num_threads(2);
  EXPECT_EQ(sqnr_db(x, y), one);
  at::set_num_threads(threads);
  EXPECT_EQ(sqnr_db(x.t().contiguous().t(), y), one);
}

TEST(TensorMetrics, RefuseEmptyAndUnequalShapes) {
  const auto refused = [](const Tensor& a, const Tensor& b, const std::string& part) {
    EXPECT_TRUE(throws_error([&] { sqnr_db(a, b); }, Errc::kInput, {part}));
    EXPECT_TRUE(throws_error([&] { relative_error(a, b); }, Errc::kInput, {part}));
    EXPECT_TRUE(throws_error([&] { cosine(a, b); }, Errc::kInput, {part}));
  };
  refused(at::zeros({0, 4}), at::zeros({0, 4}), "empty");
  refused(at::zeros({2, 3}), at::zeros({3, 2}), "[2, 3] with [3, 2]");
  refused(at::zeros({6}), at::zeros({6, 1}), "equal shapes");
}

}  // namespace
}  // namespace svdlab
