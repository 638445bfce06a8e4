#include "core/formats/fp16.h"

#include <gtest/gtest.h>

#include "tests/core/formats/slow_minifloat.h"

namespace svdlab {
namespace {

using testing::SlowMinifloat;

TEST(Fp16, KnownCodes) {
  EXPECT_EQ(fp16_encode(1.0f), 0x3c00);
  EXPECT_EQ(fp16_encode(-0.0f), 0x8000);
  EXPECT_EQ(fp16_encode(65504.0f), 0x7bff) << "the largest finite";
  EXPECT_EQ(fp16_encode(65519.996f), 0x7bff);
  EXPECT_EQ(fp16_encode(65520.0f), 0x7c00) << "half a step past the largest is infinity";
  EXPECT_EQ(fp16_encode(0x1p-24f), 0x0001) << "the smallest subnormal";
  EXPECT_EQ(fp16_encode(0x1p-25f), 0x0000) << "tie to even";
  EXPECT_EQ(fp16_encode(-INFINITY), 0xfc00);
}

TEST(Fp16, EveryCodeHasItsDefinedValueAndSurvives) {
  const SlowMinifloat slow(5, 10, 0x7c00);
  for (uint32_t c = 0; c <= 0xffff; ++c) {
    const auto code = static_cast<uint16_t>(c);
    const int magnitude = code & 0x7fff;
    const float x = fp16_decode(code);
    ASSERT_EQ(std::signbit(x), code >= 0x8000) << c;
    if (magnitude < 0x7c00) {
      ASSERT_EQ(std::fabs(x), slow.value(magnitude)) << c;
    }
    if (magnitude == 0x7c00) {
      ASSERT_TRUE(std::isinf(x)) << c;
    }
    const bool nan = magnitude > 0x7c00;
    ASSERT_EQ(std::isnan(x), nan) << c;
    ASSERT_EQ(fp16_encode(x), nan ? code | 0x200 : code) << c;
  }
}

TEST(Fp16, RoundsToNearestEvenByDefinition) {
  const SlowMinifloat slow(5, 10, 0x7c00);
  for (const float x : testing::rounding_probes(slow)) {
    const int expected = slow.nearest(std::fabs(static_cast<double>(x))) | (std::signbit(x) ? 0x8000 : 0);
    ASSERT_EQ(fp16_encode(x), expected) << x;
  }
}

}  // namespace
}  // namespace svdlab
