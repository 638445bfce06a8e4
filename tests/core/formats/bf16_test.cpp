#include "core/formats/bf16.h"

#include <gtest/gtest.h>

#include "tests/core/formats/slow_minifloat.h"

namespace svdlab {
namespace {

using testing::SlowMinifloat;

TEST(Bf16, KnownCodes) {
  EXPECT_EQ(bf16_encode(1.0f), 0x3f80);
  EXPECT_EQ(bf16_encode(-2.0f), 0xc000);
  EXPECT_EQ(bf16_encode(-0.0f), 0x8000);
  EXPECT_EQ(bf16_encode(3.14159265f), 0x4049);
  EXPECT_EQ(bf16_encode(0x1.fffffep127f), 0x7f80) << "overflow is infinity";
  EXPECT_EQ(bf16_encode(INFINITY), 0x7f80);
}

TEST(Bf16, EveryCodeSurvivesDecodeAndEncode) {
  for (uint32_t c = 0; c <= 0xffff; ++c) {
    const auto code = static_cast<uint16_t>(c);
    const bool nan = (code & 0x7fff) > 0x7f80;
    ASSERT_EQ(std::isnan(bf16_decode(code)), nan) << c;
    ASSERT_EQ(bf16_encode(bf16_decode(code)), nan ? code | 0x40 : code) << c;
  }
}

TEST(Bf16, RoundsToNearestEvenByDefinition) {
  const SlowMinifloat slow(8, 7, 0x7f80);
  for (const float x : testing::rounding_probes(slow)) {
    const int expected = slow.nearest(std::fabs(static_cast<double>(x))) | (std::signbit(x) ? 0x8000 : 0);
    ASSERT_EQ(bf16_encode(x), expected) << x;
  }
}

TEST(Bf16, RoundIsTheValueOfTheCode) {
  EXPECT_EQ(bf16_round(1.00390625f), 1.0f) << "tie to even";
  EXPECT_EQ(bf16_round(1.01171875f), 1.015625f) << "tie to even";
  EXPECT_TRUE(std::isnan(bf16_round(NAN)));
}

static_assert(bf16_round(1.0f) == 1.0f, "usable in constant expressions");

}  // namespace
}  // namespace svdlab
