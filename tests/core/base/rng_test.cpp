#include "core/base/rng.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace svdlab {
namespace {

using Words = std::array<uint32_t, 4>;

// Known answers published with the Random123 library (kat_vectors, philox 4x32 10).
TEST(Philox, PublishedVectors) {
  EXPECT_EQ(Rng::philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t ones = 0xffffffff;
  EXPECT_EQ(Rng::philox({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Rng::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, BitsAreTheWordsOfTheBlocks) {
  const Rng rng(7, "bits");
  for (uint64_t i = 0; i < 16; ++i) EXPECT_EQ(rng.bits(i), rng.block(i / 4)[i % 4]);
  EXPECT_NE(rng.block(0), rng.block(uint64_t{1} << 32)) << "the upper half of the counter counts";
}

// Values from a second implementation of the whole chain (name, seed, key, block): results that were
// published must be repeatable with a later build.
TEST(Rng, StreamsAreFrozen) {
  EXPECT_EQ(Rng(0, "item-0").bits(0), 0x80fd7e38u);
  EXPECT_EQ(Rng(1, "item-0").bits(3), 0xb4b9e7d9u);
}

TEST(Rng, NamesAndSeedsGiveDifferentStreams) {
  std::set<uint32_t> first;
  for (uint64_t seed = 0; seed < 100; ++seed)
    for (int name = 0; name < 100; ++name) first.insert(Rng(seed, "item-" + std::to_string(name)).bits(0));
  EXPECT_GE(first.size(), 9990u) << "10,000 draws of 32 bits collide about 0.01 times";
}

// Correlation of two streams under the same index; its deviation is 1 / sqrt(n) = 0.0032.
TEST(Rng, NeighbouringStreamsAreUncorrelated) {
  constexpr int kCount = 100000;
  const Rng a(0, "item-0"), b(0, "item-1"), c(1, "item-0");
  double ab = 0, ac = 0;
  for (uint64_t i = 0; i < kCount; ++i) {
    ab += a.normal(i) * b.normal(i) / kCount;
    ac += a.normal(i) * c.normal(i) / kCount;
  }
  EXPECT_LE(std::fabs(ab), 0.016);
  EXPECT_LE(std::fabs(ac), 0.016);
}

// Bounds are five standard errors of each moment (1, sqrt 2, sqrt 15, sqrt 96 over sqrt n).
TEST(Rng, NormalMoments) {
  constexpr int kCount = 400000;
  const Rng rng(0, "normal");
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
  for (uint64_t i = 0; i < kCount; ++i) {
    const double x = rng.normal(i);
    m1 += x / kCount;
    m2 += x * x / kCount;
    m3 += x * x * x / kCount;
    m4 += x * x * x * x / kCount;
  }
  const double se = 5 / std::sqrt(static_cast<double>(kCount));
  EXPECT_LE(std::fabs(m1), se);
  EXPECT_LE(std::fabs(m2 - 1), se * std::sqrt(2.0));
  EXPECT_LE(std::fabs(m3), se * std::sqrt(15.0));
  EXPECT_LE(std::fabs(m4 - 3), se * std::sqrt(96.0));
}

TEST(Rng, UniformStaysBelowOneWithMeanOneHalf) {
  constexpr int kCount = 100000;
  const Rng rng(0, "uniform");
  double mean = 0;
  for (uint64_t i = 0; i < kCount; ++i) {
    const float x = rng.uniform(i);
    ASSERT_GE(x, 0.0f);
    ASSERT_LT(x, 1.0f);
    mean += static_cast<double>(x) / kCount;
  }
  EXPECT_LE(std::fabs(mean - 0.5), 5 / std::sqrt(12.0 * kCount));
}

// Chi-square with 6 degrees of freedom: 35 is passed once in 200,000 seeds.
TEST(Rng, BelowIsUniformAndInRange) {
  constexpr int kCount = 70000;
  const Rng rng(0, "below");
  std::array<int, 7> seen{};
  for (uint64_t i = 0; i < kCount; ++i) {
    const uint64_t v = rng.below(i, 7);
    ASSERT_LT(v, 7u);
    ++seen[v];
  }
  double chi2 = 0;
  for (const int n : seen) chi2 += (n - kCount / 7.0) * (n - kCount / 7.0) / (kCount / 7.0);
  EXPECT_LE(chi2, 35.0);
  EXPECT_EQ(rng.below(0, 1), 0u);
  EXPECT_LT(rng.below(0, ~uint64_t{0}), ~uint64_t{0});
}

}  // namespace
}  // namespace svdlab
