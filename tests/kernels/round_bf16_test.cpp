#include "kernels/round_bf16.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/rng.h"
#include "core/formats/bf16.h"

namespace svdlab {
namespace {

TEST(RoundBf16, EveryLengthEqualsTheScalarFormatInPlaceToo) {
  const Rng rng(0, "round-bf16");
  for (int64_t count = 0; count < 70; ++count) {
    std::vector<float> x(count), out(count + 1, -7.0f);
    for (int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(rng.normal(i));
    round_bf16(x.data(), count, out.data());
    for (int64_t i = 0; i < count; ++i) ASSERT_EQ(out[i], bf16_round(x[i]));
    EXPECT_EQ(out[count], -7.0f);
    round_bf16(x.data(), count, x.data());
    for (int64_t i = 0; i < count; ++i) ASSERT_EQ(x[i], out[i]);
  }
}

TEST(RoundBf16, TiesAndSpecialValues) {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> x = {1 + 0x1p-8f, 1 + 0x3p-8f, -(1 + 0x1p-8f), inf, -inf, std::nanf(""), 3.4e38f, -0.0f};
  round_bf16(x.data(), static_cast<int64_t>(x.size()), x.data());
  EXPECT_EQ(x[0], 1.0f);
  EXPECT_EQ(x[1], 1 + 0x1p-6f);
  EXPECT_EQ(x[2], -1.0f);
  EXPECT_EQ(x[3], inf);
  EXPECT_EQ(x[4], -inf);
  EXPECT_TRUE(std::isnan(x[5]));
  EXPECT_EQ(x[6], inf);
  EXPECT_EQ(std::bit_cast<uint32_t>(x[7]), 0x80000000u);
}

}  // namespace
}  // namespace svdlab
