#include "kernels/device/plain_tiling.h"

#include <gtest/gtest.h>

#include <set>

namespace svdlab::device {
namespace {

TEST(PlainTokens, AreOfTheCompiledOnes) {
  const std::set<int> compiled = {128, 192, 224, 256};
  for (const int64_t m : {1, 16, 129, 4096, 4608})
    for (const int64_t n : {8, 256, 1152, 3072, 21504})
      for (const int64_t k : {64, 3072, 15360})
        EXPECT_TRUE(compiled.contains(plain_tokens(m, n, k, 132))) << m << " " << n << " " << k;
}

// What was fastest of W8A8 on an H200; few tokens or channels leave no work for wide tiles.
TEST(PlainTokens, AreThoseMeasuredFastest) {
  EXPECT_EQ(plain_tokens(4608, 3072, 3072, 132), 224);
  EXPECT_EQ(plain_tokens(4608, 3072, 12288, 132), 224);
  EXPECT_EQ(plain_tokens(4608, 9216, 3072, 132), 256);
  EXPECT_EQ(plain_tokens(4608, 12288, 3072, 132), 256);
  EXPECT_EQ(plain_tokens(4608, 21504, 3072, 132), 256);
  EXPECT_EQ(plain_tokens(16, 3072, 3072, 132), 128);
  EXPECT_EQ(plain_tokens(4608, 128, 3072, 132), 128);
}

}  // namespace
}  // namespace svdlab::device
