#include "kernels/device/encode.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/rng.h"
#include "core/formats/fp16.h"
#include "core/formats/fp4_e2m1.h"
#include "core/formats/fp8_e4m3.h"
#include "core/formats/int4.h"
#include "kernels/device/exact_division.h"

namespace svdlab::device {
namespace {

TEST(Encode, RoundingAgreesWithTheFormat) {
  for (int i = -3000; i <= 3000; ++i) {
    const float x = i / 400.0f;
    ASSERT_EQ(rounded_bits(x) & 0xf, static_cast<uint32_t>(std::nearbyint(x)) & 0xf) << x;
    ASSERT_EQ(rounded(x), std::nearbyint(x)) << x;
    if (std::fabs(x) <= 7) {
      ASSERT_EQ(rounded_bits(x) & 0xf, int4_encode(x)) << x;
    }
  }
}

TEST(Encode, NibblesAndBytesKeepTheirOrder) {
  EXPECT_EQ(nibbles_of_bytes(0xf4133f21u, 0x88276605u), 0x876543f1u);
  EXPECT_EQ(low_bytes(0x111u, 0x222u, 0x333u, 0x444u), 0x44332211u);
}

// Every upper half of a float, so that each tie and each side of it is there.
TEST(Encode, E2M1ByItsLastPlaceAgreesWithTheFormat) {
  for (uint32_t upper = 0; upper < 0x10000u; ++upper)
    for (const uint32_t lower : {0u, 1u, 0xffffu}) {
      const float x = float_of(upper << 16 | lower);
      if (!(std::fabs(x) <= 6.5f)) continue;
      const float m = e2m1_magic(x), rounded = std::copysign((x + m) - m, x);
      ASSERT_EQ(bits_of(rounded), bits_of(fp4_e2m1_decode(fp4_e2m1_encode(x)))) << x;
    }
}

TEST(Encode, E2M1FromBytesOfE4M3) {
  for (uint32_t code = 0; code < 16; ++code) {
    const uint32_t byte = fp8_e4m3_encode(fp4_e2m1_decode(code) * kE2M1ByteUnit);
    EXPECT_EQ(e2m1_of_bytes(byte | byte << 24), code | code << 24);
  }
}

TEST(Encode, E2M1AsHalvesOfAWord) {
  for (uint32_t code = 0; code < 16; ++code)
    for (int i = 0; i < 4; ++i) {
      const uint32_t pair = e2m1_as_half2(code << 4 * i | (15 - code) << (16 + 4 * i), i);
      EXPECT_EQ(fp16_decode(static_cast<uint16_t>(pair)) * kE2M1HalfUnit, fp4_e2m1_decode(code));
      EXPECT_EQ(fp16_decode(static_cast<uint16_t>(pair >> 16)) * kE2M1HalfUnit, fp4_e2m1_decode(15 - code));
    }
}

// A code times its e4m3 scale, both lifted as the nvfp4 loop lifts them, is an fp16 number.
TEST(Encode, E2M1TimesItsScaleIsExactInHalf) {
  for (int code = 0; code < 8; ++code)
    for (int scale = 0; scale < 0x7f; ++scale) {
      const float lifted = fp8_e4m3_decode(static_cast<uint8_t>(scale)) * kE4M3HalfLift;
      EXPECT_EQ(fp16_round(lifted), lifted);
      const float product = lifted * (kFp4E2M1Values[code] / kE2M1HalfUnit);
      EXPECT_EQ(fp16_round(product), product) << code << " " << scale;
    }
}

TEST(Encode, E4M3OfIntegers) {
  for (uint32_t v = 0; v < 16; ++v) EXPECT_EQ(e4m3_of_integer(v), fp8_e4m3_encode(static_cast<float>(v)));
}

// Against the true quotient, with inverses off by an ulp either way, as the hardware's may be.
TEST(ExactDivision, IsTheCorrectlyRoundedQuotient) {
  const Rng rng(0, "exact-division");
  int wrong = 0;
  for (int i = 0; i < 200000; ++i) {
    const float a = static_cast<float>(rng.normal(2 * i)) * (i % 3 ? 1.0f : 0x1p-30f);
    const float b = std::fabs(static_cast<float>(rng.normal(2 * i + 1))) + 1e-3f;
    for (const int off : {-1, 0, 1}) {
      const float inverse = float_of(bits_of(1.0f / b) + off);
      wrong += divide_by_inverse(a, b, inverse) != a / b;
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST(ExactDivision, TiesAndZerosAreExact) {
  for (int code = -15; code <= 15; ++code)
    for (int k = 1; k < 256; ++k) {
      const float scale = k * 0.0123046875f, value = (code / 2.0f) * scale;  // both products are exact
      const float got = divide_by_inverse(value, scale, float_of(bits_of(1.0f / scale) + k % 3 - 1));
      ASSERT_EQ(bits_of(got), bits_of(value / scale)) << code << " " << scale;
    }
  EXPECT_EQ(bits_of(divide_by_inverse(-0.0f, 3.0f, 1.0f / 3.0f)), bits_of(-0.0f));
  EXPECT_EQ(bits_of(divide_by_inverse(0.0f, 3.0f, 1.0f / 3.0f)), 0u);
}

TEST(ExactDivision, RangeExcludesWhatWouldLeaveFloat) {
  EXPECT_FALSE(in_fast_range(0.0f));
  EXPECT_FALSE(in_fast_range(std::nanf("")));
  EXPECT_FALSE(in_fast_range(INFINITY));
  EXPECT_TRUE(in_fast_range(1.0f));
}

}  // namespace
}  // namespace svdlab::device
