#include "core/formats/nibbles.h"

#include <gtest/gtest.h>

#include <vector>

namespace svdlab {
namespace {

TEST(Nibbles, EvenColumnIsTheLowNibble) {
  const uint8_t codes[4] = {1, 2, 0xf, 0x8};
  uint8_t packed[2] = {};
  pack_nibbles(codes, 4, packed);
  EXPECT_EQ(packed[0], 0x21);
  EXPECT_EQ(packed[1], 0x8f);
}

TEST(Nibbles, RoundTripForEveryLengthWithoutOverrun) {
  for (int64_t n = 0; n <= 37; ++n) {
    std::vector<uint8_t> codes, packed(static_cast<size_t>(packed_bytes(n)) + 1, 0xcc);
    for (int64_t i = 0; i < n; ++i) codes.push_back(static_cast<uint8_t>(i * 7 % 16));
    pack_nibbles(codes.data(), n, packed.data());
    EXPECT_EQ(packed.back(), 0xcc) << n;
    if (n % 2 == 1) {
      EXPECT_EQ(packed[packed.size() - 2] >> 4, 0) << "the unused nibble is empty";
    }
    std::vector<uint8_t> back(codes.size() + 1, 0xcc);
    unpack_nibbles(packed.data(), n, back.data());
    EXPECT_EQ(back.back(), 0xcc) << n;
    back.pop_back();
    EXPECT_EQ(back, codes);
  }
}

TEST(Nibbles, HighBitsOfACodeAreIgnored) {
  const uint8_t codes[3] = {0xf1, 0xf2, 0xf3};
  uint8_t packed[2] = {};
  pack_nibbles(codes, 3, packed);
  EXPECT_EQ(packed[0], 0x21);
  EXPECT_EQ(packed[1], 0x03);
}

}  // namespace
}  // namespace svdlab
