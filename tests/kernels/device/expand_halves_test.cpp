#include "kernels/device/expand_halves.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "core/formats/fp16.h"
#include "kernels/device/fragments.h"
#include "kernels/packed_matrix.h"

namespace svdlab::device {
namespace {

// What a thread holds of operand A, and where nibble q + 4 u of a word of its row and half of the columns is.
template <class Column, class Nibble>
void expect_same_order(Column column, Nibble column_of_nibble) {
  std::set<int> columns;
  for (int place = 0; place < 64; ++place) columns.insert(column(place));
  EXPECT_EQ(columns.size(), 64u);
  for (int lane = 0; lane < 32; ++lane)
    for (int j = 0; j < 4; ++j)
      for (int h = 0; h < 2; ++h)
        for (int u = 0; u < 2; ++u)
          EXPECT_EQ(column(16 * j + 8 * h + 2 * (lane % 4) + u),
                    column_of_nibble(lane, j / 2, j % 2 * 2 + h + 4 * u))
              << lane << " " << j << " " << h << " " << u;
}

TEST(ExpandHalves, ColumnsFollowTheNibblesOfFragments) {
  expect_same_order(fragment_column, [](int lane, int half, int nibble) {
    for (int column = 0; column < 64; ++column)
      if (fragment_nibble(lane / 4, column, 64) == 32 * lane + 16 * half + nibble) return column;
    return -1;
  });
}

TEST(ExpandHalves, ColumnsFollowTheNibblesOfRows) {
  expect_same_order(nibble_column,
                    [](int lane, int half, int nibble) { return 16 * (lane % 4) + 8 * half + nibble; });
  for (int place = 0; place < 64; ++place) EXPECT_EQ(nibble_column(place) / 16, place / 2 % 4);
}

TEST(ExpandHalves, Int8IsExact) {
  for (int v = -128; v < 128; ++v)
    for (int i = 0; i < 4; ++i) {
      const uint32_t low = static_cast<uint32_t>(v & 0xff) << 8 * i, high = static_cast<uint32_t>(-v & 0xff)
                                                                            << 8 * i;
      const uint32_t pair = int8_plus_excess(low, high, i);
      EXPECT_EQ(fp16_decode(static_cast<uint16_t>(pair)) - kInt8Excess, v);
      EXPECT_EQ(fp16_decode(static_cast<uint16_t>(pair >> 16)) - kInt8Excess, v == -128 ? -128 : -v);
    }
}

// The largest sums of products stay finite in fp32, and every product of a code and a scale in fp16.
TEST(ExpandHalves, ScaledCodesFitFp16) {
  const float largest = 7 * (2 - 0x1p-7f) * kInt4HalfLift, smallest = 0x1p-28f * kInt4HalfLift * 0x1p-7f;
  EXPECT_EQ(fp16_decode(fp16_encode(largest)), largest);
  EXPECT_EQ(fp16_decode(fp16_encode(smallest)), smallest);
}

}  // namespace
}  // namespace svdlab::device
