// What compressing one group holds, against what the memory plan allows it.
#include <gtest/gtest.h>

#include "core/runtime/single_thread.h"
#include "experiments/quantize/memory_meter.h"
#include "experiments/quantize/memory_plan.h"
#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kSlack = 64 * kMiB;  // of the plan's constant: what the allocator and libraries keep

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

TEST(MemoryMeter, SeesWhatIsHeldAndThatItIsGivenBack) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer keeps freed memory";
  return_freed_memory();
  const int64_t before = anonymous_bytes();
  {
    const MemoryMeter meter;
    { const Tensor held = at::ones({64 * kMiB / 4}); }
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    const Tensor again = at::ones({64 * kMiB / 4});
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    EXPECT_GE(meter.peak(), before + 63 * kMiB);
    EXPECT_LE(meter.peak(), before + 100 * kMiB);
  }
  EXPECT_LE(anonymous_bytes(), before + 16 * kMiB);
}

// The constant of the plan is for the program; what grows with the group must fit into the rest.
class GroupMemory : public ::testing::TestWithParam<const char*> {};

TEST_P(GroupMemory, StaysWithinTheWorkersShare) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer keeps freed memory";
  constexpr int64_t kChannels = 1024, kOut = 8192;
  const SingleThreadScope single;
  const NoGradGuard no_grad;
  return_freed_memory();
  Graph graph;
  LayerGroup group{.name = "g", .members = {0, 1}, .branches = {{0, 1}}};
  for (const char* name : {"g", "h"}) {
    LinearSpec linear;
    linear.name = name;
    linear.weight = testing::random_tensor({kOut / 2, kChannels}, name).to(at::kBFloat16);
    linear.segments = {{0, kChannels, Producer::kModulate}};
    graph.linears.push_back(linear);
  }
  graph.groups.push_back(group);
  const StatsMap stats{{"g", testing::stats_of(testing::outlier_inputs(256, kChannels, "x"))}};
  const Plan plan = {{"*", scheme_named("nvfp4"), testing::recipe(GetParam()), ""}};
  const auto jobs = compression_jobs(graph, plan, assign_rules(graph, plan));
  ASSERT_EQ(jobs.size(), 1u);
  trim_freed_memory();
  const int64_t before = anonymous_bytes();
  int64_t held = 0;
  {
    const MemoryMeter meter;
    const GroupCompression done = run_job(graph, stats, jobs[0], {.score_tokens = 128});
    EXPECT_EQ(done.linears.size(), 2u);
    held = meter.peak() - before;
  }
  const int64_t share = job_memory(graph, jobs[0], {.statistics = true});
  RecordProperty("held_of_share", concat(held / kMiB, " of ", share / kMiB, " MiB"));
  EXPECT_GT(held, share / 6) << "the meter saw less than the weights";
  EXPECT_LE(held, share + kSlack) << held / kMiB << " of " << share / kMiB << " MiB";
}

INSTANTIATE_TEST_SUITE_P(
    Recipes, GroupMemory,
    ::testing::Values("{}", "{driver: svdquant, low_rank: {rank: 16, solver: randomized, iterations: 1}}",
                      "{transform: {smooth: {grid: 2}}, driver: {svdquant: {iterations: 3}}, weights: gptq,"
                      " low_rank: {rank: 8, solver: subspace, oversampling: 8, iterations: 1}}"));

}  // namespace
}  // namespace svdlab
