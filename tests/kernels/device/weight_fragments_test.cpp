#include "kernels/device/weight_fragments.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/formats/fp8_e4m3.h"
#include "core/formats/int4.h"
#include "kernels/device/encode.h"
#include "kernels/device/fragments.h"
#include "kernels/packed_matrix.h"
#include "tests/kernels/coded_problem.h"

namespace svdlab::device {
namespace {

// The exact loop in plain steps: what thread t unpacks for group `group` is what wgmma m64k32 takes for the
// codes of its rows and columns, in units of 2^-9.
TEST(WeightFragments, UnpackToTheOperandOfTheMatrixInstruction) {
  testing::Matrix w = testing::normal_matrix(128, 192, "weight-fragments");
  testing::Coded q = testing::quantized(w, {NumberFormat::kInt4, ScaleFormat::kBf16, 64});
  const PackedBuffer packed = pack_matrix(q.view(), CodeLayout::kSignedFragments64, ScaleFormat::kBf16);
  for (int row_tile = 0; row_tile < 2; ++row_tile)
    for (int group = 0; group < 3; ++group)
      for (int t = 0; t < 128; ++t) {
        uint32_t words[4];
        std::memcpy(words, packed.codes.data() + (row_tile * 3 + group) * 2048 + 16 * t, 16);
        for (int s = 0; s < 2; ++s) {
          const uint32_t registers[4] = {signed_low_values(words[2 * s]), signed_low_values(words[2 * s + 1]),
                                         signed_high_values(words[2 * s]),
                                         signed_high_values(words[2 * s + 1])};
          for (int i = 0; i < 4; ++i)
            for (int e = 0; e < 4; ++e) {
              const Place p = wgmma_a_8bit(t, i, e);
              const auto code = q.codes[(64 * row_tile + p.row) * 192 + 64 * group + 32 * s + p.col];
              const auto byte = static_cast<uint8_t>(registers[i] >> 8 * e);
              ASSERT_EQ(fp8_e4m3_decode(byte), int4_decode(code) * kSignedUnit) << t << " " << s << i << e;
            }
        }
      }
}

TEST(WeightFragments, SignAndMagnitudeBitsAreThoseOfTheLayout) {
  uint32_t used = 0;
  for (int e = 0; e < 8; ++e) {
    const uint32_t bits = 7u << signed_magnitude_bit(e) | 1u << signed_sign_bit(e);
    EXPECT_EQ(used & bits, 0u);
    used |= bits;
    const uint32_t word = 5u << signed_magnitude_bit(e) | 1u << signed_sign_bit(e);
    EXPECT_EQ(signed_low_values(word), e < 4 ? 0x85u << 8 * e : 0u);
    EXPECT_EQ(signed_high_values(word), e >= 4 ? 0x85u << 8 * (e - 4) : 0u);
  }
  EXPECT_EQ(used, 0xffffffffu);
}

TEST(WeightFragments, E4M3IsLinearUpToFifteen) {
  for (int m = 0; m < 16; ++m) EXPECT_EQ(fp8_e4m3_decode(static_cast<uint8_t>(m)), m * kSignedUnit);
}

// The int8 loop: a word of kFragments64 is operand B of mma m16n8k32 for eight rows of the weights.
TEST(WeightFragments, SpreadNibblesAreSixteenTimesTheCodes) {
  testing::Matrix w = testing::normal_matrix(64, 64, "spread-nibbles");
  testing::Coded q = testing::quantized(w, {NumberFormat::kInt4, ScaleFormat::kBf16, 64});
  const PackedBuffer packed = pack_matrix(q.view(), CodeLayout::kFragments64, ScaleFormat::kBf16);
  for (int t = 0; t < 128; ++t)
    for (int word = 0; word < 4; ++word) {
      uint32_t bits;
      std::memcpy(&bits, packed.codes.data() + 16 * t + 4 * word, 4);
      for (int half = 0; half < 2; ++half)
        for (int e = 0; e < 4; ++e) {
          const auto got = static_cast<int8_t>(int8_of_nibbles(bits >> 16 * half) >> 8 * e);
          const int row = 16 * (t / 32) + t % 32 / 4 + 8 * (word % 2);
          const int col = 32 * (word / 2) + 16 * half + 4 * (t % 4) + e;
          ASSERT_EQ(got, 16 * static_cast<int>(int4_decode(q.codes[row * 64 + col])));
        }
    }
}

}  // namespace
}  // namespace svdlab::device
