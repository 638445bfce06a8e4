#include "core/formats/fp8_e5m2.h"

#include <gtest/gtest.h>

#include "tests/core/formats/slow_minifloat.h"

namespace svdlab {
namespace {

using testing::SlowMinifloat;

TEST(Fp8E5M2, OverflowsToInfinityAndKeepsNan) {
  EXPECT_EQ(fp8_e5m2_encode(kFp8E5M2Max), 0x7b);
  EXPECT_EQ(fp8_e5m2_encode(61439.0f), 0x7b);
  EXPECT_EQ(fp8_e5m2_encode(61440.0f), 0x7c) << "tie to even, and the even neighbour is infinity";
  EXPECT_EQ(fp8_e5m2_encode(-INFINITY), 0xfc);
  EXPECT_EQ(fp8_e5m2_encode(-NAN), 0x7e);
}

TEST(Fp8E5M2, EveryCodeHasItsDefinedValueAndSurvives) {
  const SlowMinifloat slow(5, 2, 0x7c);
  for (int c = 0; c <= 0xff; ++c) {
    const auto code = static_cast<uint8_t>(c);
    const float x = fp8_e5m2_decode(code);
    const int magnitude = c & 0x7f;
    EXPECT_EQ(std::isnan(x), magnitude > 0x7c) << c;
    EXPECT_EQ(std::isinf(x), magnitude == 0x7c) << c;
    if (magnitude < 0x7c) {
      EXPECT_EQ(x, (c < 0x80 ? 1 : -1) * slow.value(magnitude)) << c;
    }
    if (magnitude <= 0x7c) {
      EXPECT_EQ(fp8_e5m2_encode(x), code);
    }
  }
}

TEST(Fp8E5M2, RoundsToNearestEvenByDefinition) {
  const SlowMinifloat slow(5, 2, 0x7c);
  for (const float x : testing::rounding_probes(slow)) {
    const int magnitude = slow.nearest(std::fabs(static_cast<double>(x)));
    ASSERT_EQ(fp8_e5m2_encode(x), magnitude | (std::signbit(x) ? 0x80 : 0)) << x;
  }
}

}  // namespace
}  // namespace svdlab
