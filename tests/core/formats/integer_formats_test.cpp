#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/base/rng.h"
#include "core/formats/int4.h"
#include "core/formats/int8.h"
#include "core/formats/uint4.h"

namespace svdlab {
namespace {

// Integers, halves and their float neighbours past both ends of every format, then random magnitudes.
std::vector<float> probes() {
  std::vector<float> out{0.0f,      -0.0f, INFINITY, -INFINITY, 0x1.fffffep127f, -0x1.fffffep127f,
                         0x1p-149f, 1e9f};
  for (int twice = -300; twice <= 300; ++twice) {
    const float x = 0.5f * static_cast<float>(twice);
    out.insert(out.end(), {x, std::nextafterf(x, -INFINITY), std::nextafterf(x, INFINITY)});
  }
  const Rng rng(1, "integer_probes");
  for (uint64_t i = 0; i < 100000; ++i) out.push_back((rng.uniform(i) - 0.5f) * 300.0f);
  return out;
}

// nearbyint rounds half to even in the default mode.
double slow_round(float x, double low, double high) {
  return std::nearbyint(std::fmin(std::fmax(static_cast<double>(x), low), high));
}

TEST(Int4, EveryCodeSurvivesExceptMinusEight) {
  for (int c = 0; c < 16; ++c) {
    const auto code = static_cast<uint8_t>(c);
    EXPECT_EQ(int4_decode(code), c < 8 ? c : c - 16);
    EXPECT_EQ(int4_decode(code | 0xf0), int4_decode(code)) << "the high nibble is not looked at";
    if (c != 8) {
      EXPECT_EQ(int4_encode(int4_decode(code)), code);
    }
  }
  EXPECT_EQ(int4_encode(-8.0f), 9) << "symmetric: -8 clips to -7";
}

TEST(Int4, RoundsHalfToEvenAndClips) {
  for (const float x : probes()) {
    ASSERT_EQ(int4_decode(int4_encode(x)), slow_round(x, -7, 7)) << x;
    ASSERT_LT(int4_encode(x), 16) << x;
  }
}

TEST(Uint4, EveryCodeSurvives) {
  for (int c = 0; c < 16; ++c) {
    const auto code = static_cast<uint8_t>(c);
    EXPECT_EQ(uint4_decode(code), c);
    EXPECT_EQ(uint4_decode(code | 0xf0), c) << "the high nibble is not looked at";
    EXPECT_EQ(uint4_encode(uint4_decode(code)), code);
  }
}

TEST(Uint4, RoundsHalfToEvenAndClips) {
  for (const float x : probes()) ASSERT_EQ(uint4_decode(uint4_encode(x)), slow_round(x, 0, 15)) << x;
}

TEST(Int8, EveryCodeSurvivesExceptTheLowest) {
  for (int c = -127; c <= 127; ++c) {
    const auto code = static_cast<int8_t>(c);
    EXPECT_EQ(int8_decode(code), c);
    EXPECT_EQ(int8_encode(int8_decode(code)), code);
  }
  EXPECT_EQ(int8_encode(-128.0f), -127) << "symmetric";
}

TEST(Int8, RoundsHalfToEvenAndClips) {
  for (const float x : probes()) ASSERT_EQ(int8_decode(int8_encode(x)), slow_round(x, -127, 127)) << x;
}

TEST(IntegerFormats, NanClipsAsAnInfinityOfItsSign) {
  EXPECT_EQ(int4_encode(NAN), 7);
  EXPECT_EQ(int4_encode(-NAN), 9);
  EXPECT_EQ(uint4_encode(NAN), 15);
  EXPECT_EQ(uint4_encode(-NAN), 0);
  EXPECT_EQ(int8_encode(NAN), 127);
  EXPECT_EQ(int8_encode(-NAN), -127);
}

}  // namespace
}  // namespace svdlab
