#include "core/ir/stats.h"

#include <limits>
#include <numeric>

#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;

constexpr int64_t kTokens = 60, kChannels = 7, kCapacity = 16;

Tensor rows() { return testing::random_tensor({kTokens, kChannels}, "stats-rows"); }
// 37 is coprime to 60: every key once, in no order.
Tensor keys() { return at::arange(kTokens).mul(37).remainder(kTokens); }

ActivationStats stats_of(const std::vector<std::pair<int64_t, int64_t>>& ranges) {
  ActivationStats s;
  s.capacity = kCapacity;
  for (const auto& [begin, end] : ranges) s.add(rows().slice(0, begin, end), keys().slice(0, begin, end));
  return s;
}

void expect_same(const ActivationStats& a, const ActivationStats& b) {
  EXPECT_EQ(a.tokens, b.tokens);
  expect_identical(a.absmax, b.absmax);
  expect_identical(a.min, b.min);
  expect_identical(a.max, b.max);
  expect_identical(a.keys, b.keys);
  expect_identical(a.reservoir, b.reservoir);
  expect_close(a.sum, b.sum, 1e-13);
  expect_close(a.gram, b.gram, 1e-13);
}

TEST(ActivationStats, OnePassIsTheDefinition) {
  const ActivationStats s = stats_of({{0, kTokens}});
  const Tensor x = rows();
  EXPECT_EQ(s.tokens, kTokens);
  expect_identical(s.absmax, x.abs().amax(0));
  expect_identical(s.min, x.amin(0));
  expect_identical(s.max, x.amax(0));
  expect_close(s.mean(), x.to(at::kDouble).mean(0), 1e-13);
  expect_close(s.gram, x.to(at::kDouble).t().matmul(x.to(at::kDouble)), 1e-13);
  expect_identical(s.keys, at::arange(kCapacity));
  for (int64_t i = 0; i < kCapacity; ++i) {
    const int64_t row = (keys() == i).nonzero()[0][0].item<int64_t>();
    expect_identical(s.reservoir[i], x[row]);
  }
}

TEST(ActivationStats, MergeOfShardsEqualsOnePass) {
  ActivationStats merged = stats_of({{0, 11}});
  merged.merge(stats_of({{11, 12}, {12, 40}}));
  merged.merge(stats_of({{40, kTokens}}));
  expect_same(merged, stats_of({{0, kTokens}}));
}

TEST(ActivationStats, ShardOrderDoesNotMatter) {
  ActivationStats merged = stats_of({{40, kTokens}});
  merged.merge(stats_of({{0, 11}}));
  merged.merge(stats_of({{11, 40}}));
  expect_same(merged, stats_of({{0, kTokens}}));
}

TEST(ActivationStats, EmptyShardsChangeNothing) {
  ActivationStats merged;
  merged.capacity = kCapacity;
  merged.merge(ActivationStats());
  merged.merge(stats_of({{0, kTokens}}));
  merged.add(rows().slice(0, 0, 0), keys().slice(0, 0, 0));
  expect_same(merged, stats_of({{0, kTokens}}));
}

TEST(ActivationStats, RefusesOtherChannelCounts) {
  ActivationStats s = stats_of({{0, 5}});
  EXPECT_TRUE(testing::throws_error(
      [&] {
        s.add(at::zeros({1, 3}), at::zeros({1}, at::kLong));
      },
      Errc::kInput, {"7 channels", "3 channels"}));
}

TEST(ActivationStats, NonFiniteIsRefusedWithGroupAndChannel) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    SCOPED_TRACE(bad);
    ActivationStats s = stats_of({{0, kTokens}});
    EXPECT_NO_THROW(s.require_finite("blocks.0.attn.to_q"));
    Tensor x = at::zeros({1, kChannels});
    x[0][4] = bad;
    s.add(x, at::full({1}, kTokens, at::kLong));  // the last key: the bad row is not even in the reservoir
    EXPECT_TRUE(testing::throws_error([&] { s.require_finite("blocks.0.attn.to_q"); }, Errc::kInput,
                                      {"blocks.0.attn.to_q", "channel 4"}));
  }
}

TEST(ActivationStats, NothingSeenIsRefused) {
  EXPECT_TRUE(testing::throws_error([] { ActivationStats().require_finite("g"); }, Errc::kInput,
                                    {"group g", "no token"}));
}

}  // namespace
}  // namespace svdlab
