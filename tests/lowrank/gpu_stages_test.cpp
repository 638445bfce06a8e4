#include "lowrank/gpu_stages.h"

#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::random_tensor;
using testing::recipe;

std::string refused(const std::string& yaml, const std::string& scheme = "int4") {
  return stage_without_gpu({"*", scheme_named(scheme), recipe(yaml), ""});
}

TEST(GpuStages, WhatSvdquantConsistsOfHasThem) {
  for (const char* yaml : {"preset: svdquant-full", "preset: svdquant-gptq", "preset: rtn", "preset: bf16",
                           "preset: svdquant-h-gptq", "preset: svdquant-closed-form", "preset: lq-lora",
                           "preset: svdquant-awq-lite", "weights: {gptq: {grid: scale-search}}"})
    for (const char* scheme : {"int4", "nvfp4", "mxfp4", "w8a8", "w4a16-nf4-g64"})
      EXPECT_EQ(refused(yaml, scheme), "") << yaml << ", " << scheme;
}

TEST(GpuStages, OthersAreNamed) {
  EXPECT_EQ(refused("transform: hadamard"), "transform hadamard");
  EXPECT_EQ(refused("preset: svdquant-fwsvd"), "low_rank.objective fisher-rows");
  EXPECT_EQ(refused("weights: affine"), "weights affine");
  EXPECT_EQ(refused("weights: {gptq: {grid: affine}}"), "weights.gptq.grid affine");
  EXPECT_EQ(refused("weights: {gptq: {grid: {affine: {}}}}"), "weights.gptq.grid affine");
  EXPECT_EQ(refused("branch: columns"), "branch columns");
}

TEST(GpuStages, OnlyDivisionsDivide) {
  EXPECT_TRUE(only_divides(recipe("preset: svdquant-full")));
  EXPECT_FALSE(only_divides(recipe("preset: svdquant-hadamard")));
}

TEST(GpuStages, WhatIsOnTheCpuStaysWhereItIs) {
  const Tensor down = random_tensor({4, 8}, "down");
  std::vector<CompressedLinear> linears(2);
  for (CompressedLinear& linear : linears)
    linear.branches.push_back(LowRankBranch{down, random_tensor({6, 4}, "up")});
  move_to_cpu(linears);
  EXPECT_TRUE(linears[0].low_rank()->down.is_same(linears[1].low_rank()->down));
  EXPECT_TRUE(linears[0].low_rank()->down.is_same(down));
}

}  // namespace
}  // namespace svdlab
