#include "kernels/device/mma_stage.h"

#include <gtest/gtest.h>

#include <set>

namespace svdlab::device {
namespace {

TEST(MmaStage, ChunksFillTheTileAndEightRowsOfOneTouchAllBanks) {
  std::set<int> all;
  for (int row = 0; row < kMmaTile; ++row)
    for (int chunk = 0; chunk < 4; ++chunk) all.insert(mma_chunk(row, chunk));
  EXPECT_EQ(all.size(), 4u * kMmaTile);
  EXPECT_EQ(*all.rbegin(), kMmaTile * kMmaStageBytes - 16);
  for (int first = 0; first < kMmaTile; first += 8)
    for (int chunk = 0; chunk < 4; ++chunk) {
      std::set<int> banks;
      for (int row = first; row < first + 8; ++row) banks.insert(mma_chunk(row, chunk) / 16 % 8);
      EXPECT_EQ(banks.size(), 8u);
    }
}

// ldmatrix gives lane l of matrix k bytes 4 (l % 4) .. + 3 of row l / 4 of that matrix, whose rows are what
// lanes 8 k .. 8 k + 7 point at. Register k of operand A of m16k32 in bytes is row l / 4 + 8 (k % 2), byte 16
// (k / 2) + 4 (l % 4); of operand B, block k / 2, byte 16 (k % 2) + 4 (l % 4).
TEST(MmaStage, LoadedMatricesAreTheOperands) {
  for (int step = 0; step < 2; ++step)
    for (int k = 0; k < 4; ++k)
      for (int row = 0; row < 8; ++row) {
        const Place a = mma_a_chunk(8 * k + row, step), b = mma_b_chunk(8 * k + row, step);
        EXPECT_EQ(a.row, row + 8 * (k % 2));
        EXPECT_EQ(16 * a.col, 32 * step + wgmma_a_8bit(4 * row, k, 0).col);
        EXPECT_EQ(a.row, wgmma_a_8bit(4 * row, k, 0).row);
        EXPECT_EQ(b.row, 8 * (k / 2) + row);
        EXPECT_EQ(b.col, 2 * step + k % 2);
      }
}

}  // namespace
}  // namespace svdlab::device
