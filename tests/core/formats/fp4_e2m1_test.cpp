#include "core/formats/fp4_e2m1.h"

#include <gtest/gtest.h>

#include "tests/core/formats/slow_minifloat.h"

namespace svdlab {
namespace {

using testing::SlowMinifloat;

TEST(Fp4E2M1, EveryCodeHasItsDefinedValueAndSurvives) {
  const SlowMinifloat slow(2, 1, 8);
  for (int c = 0; c < 16; ++c) {
    const auto code = static_cast<uint8_t>(c);
    const float x = fp4_e2m1_decode(code);
    EXPECT_EQ(std::fabs(x), slow.value(c & 7)) << c;
    EXPECT_EQ(std::signbit(x), c >= 8) << c;
    EXPECT_EQ(fp4_e2m1_encode(x), code);
    EXPECT_EQ(fp4_e2m1_decode(code | 0xf0), x) << "the high nibble is not looked at";
  }
}

TEST(Fp4E2M1, RoundsToNearestEvenByDefinitionAndSaturates) {
  const SlowMinifloat slow(2, 1, 8);
  for (const float x : testing::rounding_probes(slow)) {
    const int magnitude = std::min(slow.nearest(std::fabs(static_cast<double>(x))), 7);
    ASSERT_EQ(fp4_e2m1_encode(x), magnitude | (std::signbit(x) ? 8 : 0)) << x;
  }
  EXPECT_EQ(fp4_e2m1_encode(INFINITY), 7);
  EXPECT_EQ(fp4_e2m1_encode(-INFINITY), 15);
}

TEST(Fp4E2M1, NanBecomesNegativeZero) {
  EXPECT_EQ(fp4_e2m1_encode(NAN), 8);
  EXPECT_EQ(fp4_e2m1_encode(-NAN), 8);
}

}  // namespace
}  // namespace svdlab
