#include "experiments/quantize/devices.h"

#include "core/io/yaml.h"
#include "core/runtime/kernel_stream.h"
#include "experiments/quantize/memory_plan.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::throws_error;

TEST(Devices, TheCpuIsOne) {
  EXPECT_EQ(parse_devices("cpu"), std::vector<at::Device>{at::kCPU});
  EXPECT_EQ(gpu_kind({at::kCPU}), "");
}

TEST(Devices, WhatIsNoneIsRefused) {
  for (const char* text : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:0;cuda:1", "cpu,cuda", "cuda:100"})
    EXPECT_TRUE(throws_error([&] { parse_devices(text); }, Errc::kConfig, {"--device"})) << text;
}

TEST(Devices, WithoutAGpuTheMessageSaysWhy) {
  const std::string problem = gpu_problem();
  if (problem.empty()) {
    EXPECT_EQ(parse_devices("cuda"), (std::vector<at::Device>{{at::kCUDA, 0}}));
    EXPECT_FALSE(gpu_kind(parse_devices("cuda")).empty());
    EXPECT_TRUE(throws_error([] { parse_devices("cuda:0,cuda:0"); }, Errc::kConfig, {"twice"}));
    EXPECT_TRUE(throws_error([] { parse_devices("cuda:99"); }, Errc::kConfig, {"cuda:99", "there are"}));
  } else {
    EXPECT_TRUE(throws_error([] { parse_devices("cuda"); }, Errc::kConfig, {problem, "--device cpu"}));
  }
}

TEST(Devices, StagesWithoutAFormForAGpuAreNamed) {
  const PlanRule rule{"*", scheme_named("int4"), parse_recipe(parse_yaml("transform: hadamard", "test"), ""),
                      "a.yaml:3"};
  QuantizePlan plan;
  plan.jobs.push_back({.rule = &rule});
  EXPECT_TRUE(throws_error([&] { prepare_gpus(plan); }, Errc::kConfig,
                           {"a.yaml:3", "transform hadamard", "--device cpu"}));
}

TEST(MemoryPlan, CountsCopiesOfRotatedGramsRangesAndGpus) {
  Graph graph;
  LinearSpec linear;
  linear.name = "a";
  linear.weight = at::zeros({1}).expand({3000, 1000});
  graph.linears.push_back(linear);
  const LayerGroup group{.name = "a", .members = {0}, .branches = {{0}}};
  const auto rule = [](const char* yaml) {
    return PlanRule{"*", scheme_named("int4"), parse_recipe(parse_yaml(yaml, "test"), ""), ""};
  };
  const PlanRule plain = rule("preset: rtn"), rotated = rule("transform: hadamard"),
                 ranges = rule("timesteps: ranges");
  const auto job = [&](const PlanRule& r) {
    return CompressionJob{.rule = &r, .shares = {{&group, {0}}}, .weights = 3'000'000};
  };
  const MemoryRequest request{.statistics = true, .ranges = 4, .threads = 3, .gpus = 2};
  const int64_t least = 4 * (6 * 3'000'000 + 2 * 1'000'000);
  EXPECT_EQ(job_memory(graph, job(plain), request), least);
  EXPECT_EQ(job_memory(graph, job(rotated), request), least + 3 * 8 * 1'000'000);
  EXPECT_EQ(job_memory(graph, job(ranges), request), least + 4 * 3'750'000);
  EXPECT_EQ(job_gpu_memory(graph, job(ranges), request) - job_gpu_memory(graph, job(plain), request),
            4 * (8 * 1'000'000 + 3'750'000));
  const MemoryPlan plan = plan_memory(graph, {job(plain), job(plain), job(plain)}, request);
  EXPECT_EQ(plan.workers, 3);
  EXPECT_EQ(plan.bytes(), 3 * least + (int64_t{3} << 30));
  EXPECT_EQ(plan.gpu_bytes(), 2 * job_gpu_memory(graph, job(plain), request))
      << "two workers on one of two GPUs";
}

}  // namespace
}  // namespace svdlab
