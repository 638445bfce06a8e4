#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "kernels/device/exact_tiling.h"
#include "kernels/device/quantize_pieces.h"

namespace svdlab::device {
namespace {

TEST(ExactTiling, EveryTileIsVisitedOnce) {
  for (const int tokens : {1, 7, 8, 9, 24, 36})
    for (const int channels : {1, 5, 24}) {
      std::set<std::pair<int, int>> seen;
      for (int i = 0; i < tokens * channels; ++i) {
        const Place p = tile_place(i, tokens, channels);
        EXPECT_TRUE(p.row >= 0 && p.row < tokens && p.col >= 0 && p.col < channels);
        seen.insert({p.row, p.col});
      }
      EXPECT_EQ(seen.size(), static_cast<size_t>(tokens * channels)) << tokens << " " << channels;
    }
}

TEST(ExactTiling, ClustersOfTwoWhereTheChannelsAllowIt) {
  for (const int64_t n : {8, 128, 1152}) EXPECT_EQ(exact_cluster(n, 132), 1) << n;
  for (const int64_t n : {136, 256, 3072, 21504}) EXPECT_EQ(exact_cluster(n, 132), 2) << n;
  EXPECT_EQ(exact_cluster(256, 131), 1);
}

TEST(QuantizePieces, RangesMeetAndNoneIsEmpty) {
  for (const int64_t rows : {1, 64, 1000, 4608, 100000})
    for (const int blocks : {2, 3, 4})
      for (int groups = 1; groups < 260; ++groups) {
        const int pieces = quantize_pieces(rows, groups, blocks);
        ASSERT_TRUE(pieces >= 1 && pieces <= kMaxPieces) << pieces;
        EXPECT_EQ(piece_begin(groups, 0, pieces), 0);
        EXPECT_EQ(piece_begin(groups, pieces, pieces), groups);
        for (int p = 0; p < pieces; ++p)
          EXPECT_GE(piece_begin(groups, p + 1, pieces) - piece_begin(groups, p, pieces), pieces > 1 ? 2 : 1);
      }
}

// FLUX's 4608 rows are 72 blocks: one wave.
TEST(QuantizePieces, FillTheMultiprocessorsOnce) {
  EXPECT_EQ(quantize_pieces(4608, 48, quantize_blocks(4, false)), 7);
  EXPECT_EQ(quantize_pieces(4608, 48, quantize_blocks(8, false)), 5);
  EXPECT_EQ(quantize_pieces(4608, 48, quantize_blocks(16, false)), 3);
}

}  // namespace
}  // namespace svdlab::device
