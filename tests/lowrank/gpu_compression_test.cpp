// One job on the CPU and on a GPU: the same quality, and on a GPU the same bytes every time.
#include "core/ir/gram_check.h"
#include "core/runtime/kernel_stream.h"
#include "lowrank/compression_jobs.h"
#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

class GpuTensors : public ::testing::Test {
  void SetUp() override {
    if (const std::string problem = gpu_problem(); !problem.empty())
      GTEST_SKIP() << "no GPU for tensors: " << problem;
  }
};

class GpuCompression : public GpuTensors, public ::testing::WithParamInterface<const char*> {};

struct Problem {
  Problem() {
    LayerGroup group{.name = "q", .members = {0, 1, 2}, .branches = {{0, 1}, {2}}};
    for (const char* name : {"q", "k", "ff"})
      graph.linears.push_back({.name = name,
                               .weight = testing::realistic_weight(384, 512, name).to(at::kBFloat16),
                               .bias = testing::random_tensor({384}, name),
                               .segments = {{0, 256, Producer::kAttention}, {256, 512, Producer::kGelu}}});
    graph.groups.push_back(group);
    stats["q"] = testing::stats_of(testing::outlier_inputs(2048, 512, "x"));
  }
  GroupCompression run(const std::string& scheme, const std::string& yaml, at::Device device) const {
    const NoGradGuard no_grad;
    const Plan plan = {{"*", scheme_named(scheme), testing::recipe(yaml), ""}};
    const auto jobs = compression_jobs(graph, plan, assign_rules(graph, plan));
    return run_job(graph, stats, jobs.at(0), {.device = device});
  }
  Graph graph;
  StatsMap stats;
};

double error_of(const GroupCompression& done, const std::vector<size_t>& first_of_branch) {
  double sum = 0;
  for (const size_t i : first_of_branch) sum += done.log[i].round_errors[done.log[i].best_round];
  return sum;
}

TEST_P(GpuCompression, IsAsGoodAsTheCpuAndRepeatable) {
  const Problem problem;
  for (const char* scheme : {"int4", "nvfp4", "mxfp4", "w8a8"}) {
    SCOPED_TRACE(scheme);
    const GroupCompression cpu = problem.run(scheme, GetParam(), at::kCPU),
                           gpu = problem.run(scheme, GetParam(), at::Device(at::kCUDA, 0)),
                           again = problem.run(scheme, GetParam(), at::Device(at::kCUDA, 0));
    const double ratio = error_of(gpu, {0, 2}) / error_of(cpu, {0, 2});
    EXPECT_TRUE(ratio > 0.995 && ratio < 1.005) << ratio;
    for (size_t i = 0; i < gpu.linears.size(); ++i) {
      const CompressedLinear &a = gpu.linears[i], &b = again.linears[i];
      testing::expect_identical(a.low_bit()->weight.codes, b.low_bit()->weight.codes);
      testing::expect_identical(a.low_bit()->weight.scales, b.low_bit()->weight.scales);
      testing::expect_identical(a.bias, b.bias);
      ASSERT_EQ(a.low_rank() == nullptr, b.low_rank() == nullptr);
      if (a.low_rank() != nullptr) testing::expect_identical(a.low_rank()->up, b.low_rank()->up);
    }
    if (gpu.linears[0].low_rank() == nullptr) continue;
    EXPECT_TRUE(gpu.linears[0].low_rank()->down.is_same(gpu.linears[1].low_rank()->down));
  }
}

INSTANTIATE_TEST_SUITE_P(Recipes, GpuCompression,
                         ::testing::Values("preset: rtn", "preset: scales", "preset: gptq",
                                           "{preset: svdquant-full, low_rank: {rank: 16}}",
                                           "{preset: svdquant-h-gptq, low_rank: {rank: 16}, score: gram}"));

TEST_F(GpuTensors, GramMatricesAreChecked) {
  const at::Device gpu(at::kCUDA, 0);
  const Tensor x = testing::outlier_inputs(400, 300, "x").to(at::kDouble), gram = x.t().matmul(x);
  EXPECT_NO_THROW(require_gram(gram.to(gpu), "g"));
  for (const int kind : {0, 1, 2}) {
    Tensor bad = gram.clone();
    if (kind == 0) bad[3][4] = NAN;
    if (kind == 1) bad[3][4] += gram[3][3].item<double>();
    if (kind == 2) bad.sub_(at::eye(300, at::kDouble) * (0.5 * gram.diagonal().mean()));
    EXPECT_THROW(require_gram(bad.to(gpu), "g"), Error) << kind;
  }
}

}  // namespace
}  // namespace svdlab
