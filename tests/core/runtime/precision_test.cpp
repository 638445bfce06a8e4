#include "core/runtime/precision.h"

#include <gtest/gtest.h>

#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::random_tensor;

TEST(RoundTo, Bf16ValuesInFp32Storage) {
  const Tensor x = random_tensor({5, 33}, "x").mul(3);
  const Tensor y = round_to(x, Precision::kBf16);
  expect_identical(y, x.to(at::kBFloat16).to(at::kFloat));
  expect_identical(round_to(y, Precision::kBf16), y);
  expect_identical(round_to(x.t(), Precision::kBf16), y.t().contiguous());
  EXPECT_FALSE(at::equal(x, y));
}

TEST(RoundTo, LeavesOthersAlone) {
  const Tensor x = random_tensor({7}, "x");
  EXPECT_TRUE(round_to(x, Precision::kFp32).is_same(x));
  for (at::ScalarType type : {at::kBFloat16, at::kHalf}) {
    const Tensor stored = x.to(type);
    EXPECT_TRUE(round_to(stored, Precision::kBf16).is_same(stored));
  }
  const Tensor wide = x.to(at::kDouble);
  expect_identical(round_to(wide, Precision::kBf16), wide.to(at::kBFloat16).to(at::kDouble));
}

TEST(RoundTo, GradientPassesStraightThrough) {
  const Tensor x = random_tensor({4, 9}, "x").requires_grad_(), weights = random_tensor({4, 9}, "weights");
  const Tensor y = round_to(x * 2, Precision::kBf16);
  expect_identical(y, (x.detach() * 2).to(at::kBFloat16).to(at::kFloat));
  (y * weights).sum().backward();
  expect_identical(x.grad(), weights * 2);
  const NoGradGuard no_grad;
  EXPECT_FALSE(round_to(x, Precision::kBf16).requires_grad());
}

}  // namespace
}  // namespace svdlab
