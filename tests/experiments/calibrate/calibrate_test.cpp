#include "experiments/calibrate/calibrate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "core/io/files.h"
#include "experiments/calibrate/stats_file.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

class Calibrate : public testing::Test {
 protected:
  void SetUp() override {
    testing::write_random_model(folder_.path());
    model_ = load_model(folder_.path());
  }
  StatsMap collect(const CalibrationOptions& options) {
    return calibrate(model_, load_conditioning(folder_.path()), load_sampling_facts(folder_.path()), options);
  }
  testing::TempDir folder_;
  Model model_;
};

void expect_equal(const StatsMap& a, const StatsMap& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, s] : a) {
    const ActivationStats& other = b.at(name);
    EXPECT_EQ(s.tokens, other.tokens) << name;
    testing::expect_identical(s.absmax, other.absmax);
    testing::expect_identical(s.sum, other.sum);
    testing::expect_identical(s.gram, other.gram);
    testing::expect_identical(s.reservoir, other.reservoir);
    testing::expect_identical(s.keys, other.keys);
  }
}

TEST_F(Calibrate, CoversEveryGroupAndDoesNotDependOnThreads) {
  CalibrationOptions options{.pairs = 8, .pairs_per_item = 2, .tokens = 100, .steps = 3};
  const StatsMap one = collect(options);
  EXPECT_EQ(one.size(), model_.graph.groups.size());
  options.threads = 2;
  expect_equal(collect(options), one);
  for (const LayerGroup& group : model_.graph.groups) {
    const LinearSpec& linear = model_.graph.linears[group.members.front()];
    const ActivationStats& s = one.at(group.name);
    EXPECT_EQ(s.channels(), linear.in_features());
    EXPECT_TRUE(linear.t_only ? s.tokens == 8 : s.tokens > 8) << group.name;
    EXPECT_LE(s.reservoir.size(0), 100);
  }
}

TEST_F(Calibrate, TheFileGivesBackEveryBit) {
  const StatsMap stats = collect({.pairs = 4, .pairs_per_item = 2, .tokens = 50, .steps = 2});
  save_stats(folder_.file("stats.safetensors"), stats, "made from this");
  const StoredStats stored = load_stats(folder_.file("stats.safetensors"));
  EXPECT_EQ(stored.fingerprint, "made from this");
  expect_equal(stored.stats, stats);
}

TEST_F(Calibrate, RefusesPairsThatDoNotSplitAndDamagedFiles) {
  EXPECT_TRUE(testing::throws_error([&] { collect({.pairs = 5, .pairs_per_item = 2, .steps = 4}); },
                                    Errc::kConfig, {"pairs 5", "pairs_per_item 2"}));
  write_file(folder_.file("bad.safetensors"), "nothing");
  EXPECT_TRUE(testing::throws_error([&] { load_stats(folder_.file("bad.safetensors")); }, Errc::kInput));
}

TEST_F(Calibrate, RangesOfTimestepsAddUpToTheWholeAndLeaveItAsItWas) {
  CalibrationOptions options{.pairs = 8, .pairs_per_item = 4, .tokens = 100, .steps = 4};
  const StatsMap plain = collect(options);
  options.time_ranges = 2;
  const StatsMap split = collect(options);
  expect_equal(split, plain);
  options.threads = 2;
  const StatsMap threads = collect(options);
  save_stats(folder_.file("stats.safetensors"), split, "ranges");
  const StatsMap stored = load_stats(folder_.file("stats.safetensors")).stats;
  ASSERT_EQ(stored.size(), plain.size());
  for (const auto& [group, s] : split) {
    EXPECT_TRUE(plain.at(group).ranges.empty());
    ASSERT_EQ(s.ranges.size(), 2u) << group;
    ActivationStats sum = s.ranges[0].stats;
    sum.merge(s.ranges[1].stats);
    EXPECT_EQ(sum.tokens, s.tokens);
    EXPECT_EQ(s.ranges[0].stats.tokens, s.ranges[1].stats.tokens) << "two of four steps each";
    testing::expect_identical(sum.absmax, s.absmax);
    testing::expect_identical(sum.reservoir, s.reservoir);
    testing::expect_close(sum.gram, s.gram, 1e-12);
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(stored.at(group).ranges.at(i).upper, s.ranges[i].upper);
      expect_equal({{group, stored.at(group).ranges[i].stats}}, {{group, s.ranges[i].stats}});
      expect_equal({{group, threads.at(group).ranges.at(i).stats}}, {{group, s.ranges[i].stats}});
    }
  }
}

TEST(TimeRanges, HoldEquallyManyStepsEach) {
  EXPECT_EQ(time_range_uppers({1, 0.75, 0.5, 0.25, 0}, 2), (std::vector<double>{0.625, 1}));
  EXPECT_EQ(time_range_uppers({1, 0.75, 0.5, 0.25, 0}, 1), (std::vector<double>{1}));
  EXPECT_EQ(time_range_uppers({1, 0.75, 0.5, 0.25, 0}, 4), (std::vector<double>{0.375, 0.625, 0.875, 1}));
  EXPECT_TRUE(testing::throws_error([] { time_range_uppers({1, 0.5, 0}, 3); }, Errc::kConfig, {"3", "2"}));
}

TEST(UniformSteps, OfAnItemAreEvenlySpacedAndOverAllItemsEveryStepIsTakenAsOften) {
  for (const auto& [items, steps, count] : std::vector<std::array<int64_t, 3>>{
           {32, 10, 4}, {5, 10, 4}, {1, 10, 1}, {8, 3, 3}, {7, 50, 8}, {128, 20, 1}}) {
    std::vector<int64_t> taken(steps);
    for (int64_t item = 0; item < items; ++item) {
      const std::vector<int64_t> chosen = uniform_steps(item, items, steps, count);
      ASSERT_EQ(static_cast<int64_t>(chosen.size()), count);
      for (int64_t j = 0; j < count; ++j) {
        ASSERT_TRUE(chosen[j] >= 0 && chosen[j] < steps);
        ++taken[chosen[j]];
        if (j == 0) continue;
        EXPECT_GE(chosen[j] - chosen[j - 1], steps / count);
        EXPECT_LE(chosen[j] - chosen[j - 1], (steps + count - 1) / count);
      }
    }
    const auto [least, most] = std::minmax_element(taken.begin(), taken.end());
    EXPECT_LE(*most - *least, 1) << items << " items, " << count << " of " << steps;
  }
  EXPECT_TRUE(testing::throws_error([] { uniform_steps(0, 1, 3, 4); }, Errc::kConfig, {"4 of 3"}));
}

TEST_F(Calibrate, UniformStepsGiveOtherStatisticsThanRandomOnesAndDoNotDependOnThreads) {
  CalibrationOptions options{.pairs = 4, .pairs_per_item = 1, .tokens = 50, .steps = 4};
  const StatsMap random = collect(options);
  options.timesteps = CalibrationSteps::kUniform;
  const StatsMap uniform = collect(options);
  options.threads = 3;
  expect_equal(collect(options), uniform);
  const std::string group = model_.graph.groups.front().name;
  EXPECT_EQ(uniform.at(group).tokens, random.at(group).tokens);
  EXPECT_FALSE(uniform.at(group).sum.equal(random.at(group).sum));
}

TEST_F(Calibrate, TheStatedBoundCoversWhatIsHeld) {
  const CalibrationOptions options{.pairs = 4, .tokens = 64, .threads = 1};
  int64_t held = 0;
  for (const auto& [name, s] : collect({.pairs = 4, .pairs_per_item = 2, .tokens = 64, .steps = 2}))
    held += 8 * s.gram.numel() + 4 * s.reservoir.numel();
  EXPECT_GE(calibration_bytes(model_.graph, options), held);
}

}  // namespace
}  // namespace svdlab
