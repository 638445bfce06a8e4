#include "kernels/device/plain_tiling.h"

#include <gtest/gtest.h>

namespace svdlab::device {
namespace {

TEST(PlainTiling, IsOneOfTheCompiledOnes) {
  for (const int64_t m : {1, 16, 129, 4096, 4608})
    for (const int64_t n : {8, 256, 1152, 3072, 21504}) {
      const PlainTiling t = plain_tiling(m, n, 132);
      EXPECT_TRUE((t.cluster == 2 && (t.tokens == 256 || t.tokens == 224 || t.tokens == 192)) ||
                  (t.cluster == 1 && t.tokens == 128))
          << m << " " << n << ": " << t.tokens << " x " << t.cluster;
    }
}

// A full last wave of wide tiles is what no other tiling beats; few tokens or channels leave no work for one.
TEST(PlainTiling, WideTilesWhereTheyFillTheDevice) {
  EXPECT_EQ(plain_tiling(256 * 66, 256, 132).tokens, 256);
  EXPECT_EQ(plain_tiling(4608, 3072, 132).tokens, 224);
  for (const int64_t n : {9216, 12288, 21504}) EXPECT_EQ(plain_tiling(4608, n, 132).tokens, 256) << n;
  EXPECT_EQ(plain_tiling(16, 3072, 132).tokens, 128);
  EXPECT_EQ(plain_tiling(4608, 128, 132).tokens, 128);
}

}  // namespace
}  // namespace svdlab::device
