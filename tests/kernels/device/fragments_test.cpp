#include "kernels/device/fragments.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace svdlab::device {
namespace {

// Every place of a tile belongs to exactly one register of one thread.
template <class Map>
void expect_covers(int rows, int cols, int threads, int registers, Map map) {
  std::set<std::pair<int, int>> places;
  for (int t = 0; t < threads; ++t)
    for (int i = 0; i < registers; ++i) {
      const Place p = map(t, i);
      EXPECT_TRUE(p.row >= 0 && p.row < rows && p.col >= 0 && p.col < cols) << t << " " << i;
      places.insert({p.row, p.col});
    }
  EXPECT_EQ(places.size(), static_cast<size_t>(rows * cols));
  EXPECT_EQ(threads * registers, rows * cols);
}

TEST(Fragments, EveryElementHasOneOwner) {
  expect_covers(16, 8, 32, 4, mma_accumulator);
  for (const int n : {8, 128, 192}) expect_covers(64, n, 128, n / 2, wgmma_accumulator);
  expect_covers(64, 32, 128, 16, [](int t, int i) { return wgmma_a_8bit(t, i / 4, i % 4); });
  expect_covers(64, 8, 128, 4, wgmma_a_tf32);
}

// The PTX manual's figures, at a few places of each.
TEST(Fragments, PlacesOfTheManual) {
  const auto at = [](Place p) { return std::pair(p.row, p.col); };
  EXPECT_EQ(at(mma_accumulator(5, 3)), std::pair(9, 3));
  EXPECT_EQ(at(wgmma_accumulator(0, 4)), std::pair(0, 8));
  EXPECT_EQ(at(wgmma_accumulator(33, 2)), std::pair(24, 2));
  EXPECT_EQ(at(wgmma_a_8bit(1, 0, 3)), std::pair(0, 7));
  EXPECT_EQ(at(wgmma_a_8bit(127, 3, 0)), std::pair(63, 28));
  EXPECT_EQ(at(wgmma_a_tf32(6, 2)), std::pair(1, 6));
}

// Eight rows of the same 16 bytes lie in eight different groups of four banks.
TEST(Fragments, SwizzleIsAPermutationWithoutBankConflicts) {
  std::set<int> all;
  for (int row = 0; row < 16; ++row)
    for (int byte = 0; byte < 128; ++byte) all.insert(swizzle_128(row, byte));
  EXPECT_EQ(all.size(), 16u * 128u);
  EXPECT_EQ(*all.rbegin(), 16 * 128 - 1);
  for (int byte = 0; byte < 128; byte += 16) {
    std::set<int> banks;
    for (int row = 0; row < 8; ++row) banks.insert(swizzle_128(row, byte) / 16 % 8);
    EXPECT_EQ(banks.size(), 8u) << byte;
  }
}

// promote() reads 16 bytes at half 32 block + 8 c and uses word j for accumulator columns 8 (4 block + j) + 2
// c.
TEST(Fragments, FourScalesOfAThreadAreOneLoad) {
  std::set<int> slots;
  for (int token = 0; token < 192; ++token) slots.insert(scale_slot(token));
  EXPECT_EQ(slots.size(), 192u);
  EXPECT_EQ(*slots.rbegin(), 191);
  for (int block = 0; block < 6; ++block)
    for (int c = 0; c < 4; ++c)
      for (int j = 0; j < 4; ++j)
        for (int e = 0; e < 2; ++e)
          EXPECT_EQ(scale_slot(8 * (4 * block + j) + 2 * c + e), 2 * (16 * block + 4 * c + j) + e);
}

// What stmatrix x4 .trans gets: register k of lane l holds the accumulator's pair (row 8 (k % 2) + l / 4,
// columns 8 (k / 2) + 2 (l % 4) and + 1); matrix k is written, transposed, to what lanes 8 k .. 8 k + 7 point
// at.
TEST(Fragments, TransposedStorePutsEachElementAtItsColumn) {
  for (int k = 0; k < 4; ++k)
    for (int lane = 0; lane < 32; ++lane)
      for (int e = 0; e < 2; ++e) {
        const Place element = {8 * (k % 2) + lane / 4, 8 * (k / 2) + 2 * (lane % 4) + e};
        const Place target = stmatrix_target(8 * k + element.col % 8);
        EXPECT_EQ(target.col, element.col);
        EXPECT_EQ(target.row + element.row % 8, element.row);
        EXPECT_EQ(wgmma_accumulator(lane, 4 * (k / 2) + 2 * (k % 2) + e).row, element.row);
        EXPECT_EQ(wgmma_accumulator(lane, 4 * (k / 2) + 2 * (k % 2) + e).col, element.col);
      }
}

}  // namespace
}  // namespace svdlab::device
