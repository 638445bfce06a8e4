#include <gtest/gtest.h>

#include <cmath>

#include "core/runtime/kernel_stream.h"
#include "core/runtime/single_thread.h"
#include "experiments/bench/random_artefact.h"
#include "experiments/bench/step_bench.h"
#include "experiments/cli/command.h"
#include "tests/support/node_comparison.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::throws_error;

FluxConfig one_block_of_each(FluxConfig config) {
  config.num_layers = config.num_single_layers = 1;
  config.guidance_embeds = true;
  return config;
}

StepShape small_shape() {
  return {.model = one_block_of_each({.in_channels = 16,
                                      .out_channels = 16,
                                      .attention_head_dim = 64,
                                      .num_attention_heads = 4,
                                      .joint_attention_dim = 64,
                                      .pooled_projection_dim = 32,
                                      .axes_dims_rope = {16, 24, 24}}),
          .image_tokens = 9,
          .text_tokens = 5};
}

TEST(StepModel, Bf16RunsTheWholeGraphOnTheInputsItIsTimedOn) {
  const SingleThreadScope one_thread;
  const StepShape shape = small_shape();
  const auto model = step_models().at("bf16")(shape, at::kCPU);
  std::vector<std::string> kinds;
  const Tensor out = model->run([&](int node, const auto&, const Tensor&) {
    kinds.push_back(node_kind(model->graph(), model->graph().nodes[node]));
  });
  EXPECT_EQ(out.sizes(), (std::vector<int64_t>{1, 9, 16}));
  EXPECT_TRUE(at::isfinite(out).all().item<bool>());
  EXPECT_GT(out.to(at::kFloat).std().item<double>(), 0.01);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "attention"), 2);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "linear adaln"), 3);
  EXPECT_EQ(model->weight_bytes(), 2 * model->graph().parameter_count());
}

TEST(StepModel, SizesAreThoseOfFluxDev) {
  int64_t weights = 0;
  build_flux(StepShape().model, [&](const std::string&, at::IntArrayRef shape) {
    int64_t count = 1;
    for (const int64_t d : shape) count *= d;
    weights += count;
    return weight_stub(shape, at::kCPU);
  });
  EXPECT_NEAR(static_cast<double>(weights), 11.9e9, 0.05e9);
}

TEST(StepModel, TokensThatAreNoSquareAreRefused) {
  StepShape shape = small_shape();
  shape.image_tokens = 10;
  EXPECT_TRUE(throws_error([&] { step_inputs(shape, at::kCPU); }, Errc::kConfig, {"10", "9"}));
}

TEST(RandomArtefact, CompressesTheBlocksAndSharesAsTheGroupsSay) {
  const RandomArtefact artefact = random_artefact(small_shape().model, {}, at::kCPU);
  const auto& linears = artefact.compressed.linears;
  EXPECT_EQ(linears.size(), 2u * 6 + 2 + 5 + 1);
  EXPECT_EQ(linears.count("x_embedder"), 0u);
  const CompressedLinear &q = linears.at("single_transformer_blocks.0.attn.to_q"),
                         &k = linears.at("single_transformer_blocks.0.attn.to_k"),
                         &up = linears.at("single_transformer_blocks.0.proj_mlp");
  EXPECT_TRUE(q.smooth.is_same(up.smooth));
  EXPECT_TRUE(q.low_rank()->down.is_same(k.low_rank()->down));
  EXPECT_FALSE(q.low_rank()->down.is_same(up.low_rank()->down));
  EXPECT_EQ(linears.at("transformer_blocks.0.norm1.linear").low_rank(), nullptr);
  // What is left in 16 bit is outside the blocks.
  EXPECT_LT(graph_bytes(artefact.graph), 2 * artefact.graph.parameter_count() / 5);
}

void compare_with_reference(const StepShape& shape, const char* scheme, at::Device device) {
  const RandomArtefact artefact = random_artefact(shape.model, {.scheme = scheme}, at::kCPU);
  const FusedExecutor fused(artefact.graph, artefact.compressed, {.device = device});
  for (const NodePath& p : fused.plan().paths)
    EXPECT_NE(p.path, "reference") << artefact.graph.nodes[p.node].id << ": " << p.reason;
  const auto values =
      testing::reference_values(artefact.graph, artefact.compressed, step_inputs(shape, at::kCPU));
  const testing::WorstNode worst = testing::compare_nodes(artefact.graph, fused, values);
  std::printf("%s, worst node: %s, %.1f dB\n", scheme, worst.node.c_str(), worst.db);
  const Tensor out = fused.run(step_inputs(shape, at::kCPU));
  EXPECT_LE(testing::relative_difference(out.to(at::kCPU, at::kFloat), values[artefact.graph.output]), 0.1);
}

TEST(FusedStep, SmallBlocksNodeByNode) {
  const SingleThreadScope one_thread;
  for (const char* scheme : {"int4", "nvfp4", "w8a8"})
    compare_with_reference(small_shape(), scheme, at::kCPU);
}

// One double and one single block of FLUX.1-dev with all its tokens: what bench step times.
TEST(FusedStep, BlocksOfFluxDevNodeByNodeOnAGpu) {
  if (const std::string problem = gpu_problem(); !problem.empty())
    GTEST_SKIP() << "no CUDA device: " << problem;
  const StepShape shape{.model = one_block_of_each({})};
  for (const char* scheme : {"int4", "nvfp4", "w8a8"})
    compare_with_reference(shape, scheme, at::Device(at::kCUDA, 0));
}

TEST(BenchStep, WithoutAGpuIsRefusedByName) {
  const std::string problem = gpu_problem();
  if (problem.empty()) GTEST_SKIP() << "there is a GPU";
  EXPECT_TRUE(throws_error([] { run_step_bench({}, [](const StepRow&) {}); }, Errc::kConfig,
                           {"bench step", problem}));
}

TEST(BenchCommand, UnknownNamesAreRefusedWithTheNearest) {
  EXPECT_TRUE(throws_error([] { bench_command({"stepp"}); }, Errc::kConfig, {"stepp", "step"}));
  EXPECT_TRUE(throws_error(
      [] {
        bench_command({"step", "--only", "int5"});
      },
      Errc::kConfig, {"int5", "int4"}));
  EXPECT_TRUE(throws_error(
      [] {
        bench_command({"step", "--double", "20"});
      },
      Errc::kConfig, {"double", "19", "20"}));
  EXPECT_TRUE(throws_error([] { bench_command({"gemm", "--only", "gem"}); }, Errc::kConfig, {"gem"}));
}

TEST(StepTable, SpeedupIsAgainstTheFastestBf16AndFailuresHaveNoNumbers) {
  const std::vector<StepRow> rows = {{.model = "bf16", .mode = "eager", .times = {160, 159, 161, 9}},
                                     {.model = "bf16", .mode = "graph", .times = {150, 149, 151, 9}},
                                     {.model = "int4", .mode = "graph", .times = {100, 99, 101, 9}},
                                     {.model = "fp8", .mode = "eager", .message = "no"}};
  const Table table = step_table(rows);
  const auto& speedup = std::get<std::vector<double>>(table.column("speedup").values);
  EXPECT_DOUBLE_EQ(speedup[0], 150.0 / 160);
  EXPECT_DOUBLE_EQ(speedup[2], 1.5);
  EXPECT_TRUE(std::isnan(speedup[3]));
  EXPECT_TRUE(std::isnan(std::get<std::vector<double>>(table.column("ms").values)[3]));
}

TEST(StepTimes, AreTheMedianAndTheTenthsAround) {
  std::vector<double> ms;
  for (int i = 20; i > 0; --i) ms.push_back(i);
  const StepTimes times = summary_of(ms);
  EXPECT_EQ(times.median, 11);
  EXPECT_EQ(times.p10, 3);
  EXPECT_EQ(times.p90, 19);
  EXPECT_EQ(times.runs, 20);
  EXPECT_THROW(summary_of({}), Error);
}

TEST(StepBreakdown, IsSortedByTime) {
  const StepRow row{.model = "bf16", .breakdown = {{"gelu", 1.0}, {"attention", 3.0}}};
  const Table table = breakdown_table({row});
  EXPECT_EQ(std::get<std::vector<std::string>>(table.column("kind").values),
            (std::vector<std::string>{"attention", "gelu"}));
}

}  // namespace
}  // namespace svdlab
