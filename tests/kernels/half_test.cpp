#include "kernels/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace svdlab {
namespace {

TEST(Half, EveryPatternThatIsANumberComesBack) {
  for (const HalfType type : {HalfType::kBf16, HalfType::kFp16})
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      const float value = half_decode(type, static_cast<uint16_t>(bits));
      if (std::isnan(value)) continue;
      ASSERT_EQ(half_encode(type, value), bits);
      ASSERT_EQ(half_round(type, value), value);
    }
}

TEST(Half, RoundsToItsOwnGrid) {
  EXPECT_EQ(half_round(HalfType::kBf16, 1.0f + 0x1p-8f), 1.0f);
  EXPECT_EQ(half_round(HalfType::kFp16, 1.0f + 0x1p-8f), 1.0f + 0x1p-8f);
  EXPECT_EQ(half_round(HalfType::kFp16, 1.0f + 0x1p-11f), 1.0f);
  EXPECT_EQ(std::string(to_string(HalfType::kBf16)) + to_string(HalfType::kFp16), "bf16fp16");
}

}  // namespace
}  // namespace svdlab
