#include "core/formats/fp8_e4m3.h"

#include <gtest/gtest.h>

#include "tests/core/formats/slow_minifloat.h"

namespace svdlab {
namespace {

using testing::SlowMinifloat;

TEST(Fp8E4M3, SaturatesAndKeepsNan) {
  EXPECT_EQ(fp8_e4m3_encode(448.0f), 0x7e);
  EXPECT_EQ(fp8_e4m3_encode(464.0f), 0x7e);
  EXPECT_EQ(fp8_e4m3_encode(1e30f), 0x7e);
  EXPECT_EQ(fp8_e4m3_encode(-INFINITY), 0xfe);
  EXPECT_EQ(fp8_e4m3_encode(NAN), 0x7f);
  EXPECT_EQ(fp8_e4m3_encode(-NAN), 0x7f) << "one NaN code, whatever the sign";
  EXPECT_EQ(fp8_e4m3_decode(0x7e), kFp8E4M3Max);
}

TEST(Fp8E4M3, EveryCodeHasItsDefinedValueAndSurvives) {
  const SlowMinifloat slow(4, 3, 0x7f);
  for (int c = 0; c <= 0xff; ++c) {
    const auto code = static_cast<uint8_t>(c);
    const float x = fp8_e4m3_decode(code);
    if ((c & 0x7f) == 0x7f) {
      EXPECT_TRUE(std::isnan(x)) << c;
      continue;
    }
    EXPECT_EQ(x, (c < 0x80 ? 1 : -1) * slow.value(c & 0x7f)) << c;
    EXPECT_EQ(fp8_e4m3_encode(x), code);
  }
}

TEST(Fp8E4M3, RoundsToNearestEvenByDefinition) {
  const SlowMinifloat slow(4, 3, 0x7f);
  for (const float x : testing::rounding_probes(slow)) {
    const int magnitude = std::min(slow.nearest(std::fabs(static_cast<double>(x))), 0x7e);
    ASSERT_EQ(fp8_e4m3_encode(x), magnitude | (std::signbit(x) ? 0x80 : 0)) << x;
  }
}

}  // namespace
}  // namespace svdlab
