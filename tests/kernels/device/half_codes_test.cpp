#include "kernels/device/half_codes.h"

#include <gtest/gtest.h>

#include "core/formats/int4.h"
#include "core/formats/nibbles.h"

namespace svdlab::device {
namespace {

TEST(HalfCodes, PairsOfAPackedRunOfEightColumns) {
  for (int shift = 0; shift < 16; ++shift) {
    uint8_t codes[8], packed[4];
    for (int i = 0; i < 8; ++i) codes[i] = static_cast<uint8_t>((3 * i + shift) % 16);
    pack_nibbles(codes, 8, packed);
    const uint32_t word =
        packed[0] | packed[1] << 8 | packed[2] << 16 | static_cast<uint32_t>(packed[3]) << 24;
    for (const HalfType type : {HalfType::kBf16, HalfType::kFp16})
      for (int i = 0; i < 4; ++i)
        for (int e = 0; e < 2; ++e) {
          const auto bits = static_cast<uint16_t>(int4_plus_excess(type, word, i) >> 16 * e);
          EXPECT_EQ(half_decode(type, bits) - int4_excess(type), int4_decode(codes[paired_column(i, e)]));
          const auto sixteenths = static_cast<uint16_t>(int4_sixteenths(type, word, i) >> 16 * e);
          EXPECT_EQ(16 * half_decode(type, sixteenths) - kInt4SixteenthExcess,
                    int4_decode(codes[paired_column(i, e)]));
        }
  }
}

}  // namespace
}  // namespace svdlab::device
