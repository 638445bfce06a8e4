#include "core/formats/fp8_e8m0.h"

#include <gtest/gtest.h>

#include "tests/core/formats/slow_minifloat.h"

namespace svdlab {
namespace {

TEST(Fp8E8M0, EveryCodeIsAPowerOfTwoAndSurvivesBothEncoders) {
  for (int c = 0; c < 0xff; ++c) {
    const auto code = static_cast<uint8_t>(c);
    const float x = fp8_e8m0_decode(code);
    EXPECT_EQ(x, std::ldexp(1.0, c - 127)) << c;
    EXPECT_EQ(fp8_e8m0_encode_floor(x), code);
    EXPECT_EQ(fp8_e8m0_encode_ceil(x), code);
  }
  EXPECT_TRUE(std::isnan(fp8_e8m0_decode(0xff)));
}

TEST(Fp8E8M0, ExtremesSaturateAndNanStaysNan) {
  for (const auto encode : {fp8_e8m0_encode_floor, fp8_e8m0_encode_ceil}) {
    EXPECT_EQ(encode(0.0f), 0);
    EXPECT_EQ(encode(0x1p-149f), 0);
    EXPECT_EQ(encode(0x1.fffffep127f), 254);
    EXPECT_EQ(encode(INFINITY), 254);
    EXPECT_EQ(encode(NAN), 255);
    EXPECT_EQ(encode(-4.0f), 129) << "the sign is ignored";
  }
}

// The neighbours of each power of two decide; frexp is the independent definition of the exponent.
TEST(Fp8E8M0, FloorAndCeilOfTheExponentByDefinition) {
  std::vector<float> probes;
  for (int e = -149; e <= 127; ++e)
    for (const float x : {std::ldexp(1.0f, e), std::ldexp(1.5f, e)})
      probes.insert(probes.end(), {x, std::nextafterf(x, 0.0f), std::nextafterf(x, INFINITY)});
  for (const float x : probes) {
    if (x == 0 || std::isinf(x)) continue;
    int exponent = 0;
    const double fraction =
        std::frexp(static_cast<double>(x), &exponent);  // x = fraction * 2^exponent, in [0.5, 1)
    const int floor = exponent - 1, ceil = fraction == 0.5 ? floor : exponent;
    ASSERT_EQ(fp8_e8m0_encode_floor(x), std::clamp(floor + 127, 0, 254)) << x;
    ASSERT_EQ(fp8_e8m0_encode_ceil(x), std::clamp(ceil + 127, 0, 254)) << x;
  }
}

}  // namespace
}  // namespace svdlab
