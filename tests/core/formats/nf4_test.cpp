#include "core/formats/nf4.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/rng.h"

namespace svdlab {
namespace {

// Distances in double are exact here to far below half a float step.
int slow_nearest(float x) {
  int best = 0;
  for (int i = 1; i < 16; ++i)
    if (std::fabs(static_cast<double>(x) - kNf4Values[static_cast<size_t>(i)]) <
        std::fabs(static_cast<double>(x) - kNf4Values[static_cast<size_t>(best)]))
      best = i;
  return best;
}

TEST(Nf4, EveryCodeSurvives) {
  for (int c = 0; c < 16; ++c) {
    const auto code = static_cast<uint8_t>(c);
    EXPECT_EQ(nf4_encode(nf4_decode(code)), code);
    EXPECT_EQ(nf4_decode(code | 0xf0), nf4_decode(code)) << "the high nibble is not looked at";
  }
}

TEST(Nf4, NearestValueFirstIndexOnTies) {
  for (size_t i = 0; i < 15; ++i) {
    const auto midpoint =
        static_cast<float>((static_cast<double>(kNf4Values[i]) + static_cast<double>(kNf4Values[i + 1])) / 2);
    for (const float x : {midpoint, std::nextafterf(midpoint, -2.0f), std::nextafterf(midpoint, 2.0f)})
      EXPECT_EQ(nf4_encode(x), slow_nearest(x)) << x;
  }
  const Rng rng(1, "nf4");
  for (uint64_t i = 0; i < 100000; ++i) {
    const float x = (rng.uniform(i) - 0.5f) * 3.0f;
    ASSERT_EQ(nf4_encode(x), slow_nearest(x)) << x;
  }
  const float tie = kNf4Values[6] / 2;  // halving is exact, so this one is a tie: code 6 or 7 (zero)
  EXPECT_EQ(nf4_encode(tie), 6);
}

TEST(Nf4, OutsideTheTableTakesTheEnd) {
  EXPECT_EQ(nf4_encode(-INFINITY), 0);
  EXPECT_EQ(nf4_encode(INFINITY), 15);
  EXPECT_EQ(nf4_encode(NAN), 0);
}

TEST(Nf4, TableRisesAndHoldsZero) {
  for (size_t i = 0; i + 1 < 16; ++i) EXPECT_LT(kNf4Values[i], kNf4Values[i + 1]);
  EXPECT_EQ(kNf4Values[7], 0.0f);
}

}  // namespace
}  // namespace svdlab
