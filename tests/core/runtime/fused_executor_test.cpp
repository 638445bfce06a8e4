#include "core/runtime/fused_executor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/models/conditioning.h"
#include "core/models/model.h"
#include "core/runtime/kernel_stream.h"
#include "core/runtime/single_thread.h"
#include "tests/support/fused_problem.h"
#include "tests/support/node_comparison.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::compare_nodes;
using testing::compressed_model;
using testing::random_tensor;
using testing::reference_values;
using testing::relative_difference;
using testing::WorstNode;

double output_difference(const Tensor& fused, const Tensor& reference) {
  return relative_difference(fused.to(at::kCPU, at::kFloat), reference);
}

class FusedExecutorSchemes : public ::testing::TestWithParam<const char*> {};

TEST_P(FusedExecutorSchemes, EveryNodeOnTheReferencesInputs) {
  const SingleThreadScope one_thread;
  const FluxConfig config = testing::small_flux();
  const Graph graph = testing::random_flux(config);
  const CompressedModel model = compressed_model(graph, {GetParam()});
  const FusedExecutor fused(graph, model, {});
  for (const int64_t items : {1, 2}) {
    const NamedTensors inputs = testing::flux_inputs(config, items, 3);
    const std::vector<Tensor> values = reference_values(graph, model, inputs);
    const WorstNode worst = compare_nodes(graph, fused, values);
    RecordProperty("worst_node", worst.node);
    RecordProperty("worst_db", std::to_string(worst.db));
    const Tensor out = fused.run(inputs);
    EXPECT_EQ(out.scalar_type(), at::kBFloat16);
    EXPECT_LE(output_difference(out, values[graph.output]), 0.03) << items << " items";
    testing::expect_identical(fused.run(inputs), out);
  }
}

INSTANTIATE_TEST_SUITE_P(Schemes, FusedExecutorSchemes,
                         ::testing::Values("int4", "nvfp4", "w8a8", "w4a8-int4-g64", "w4a16-int4-g64"));

TEST(FusedExecutor, ItemsOfABatchAreThoseOfSingleRuns) {
  const SingleThreadScope one_thread;
  const FluxConfig config = testing::small_flux();
  const Graph graph = testing::random_flux(config);
  const FusedExecutor fused(graph, compressed_model(graph, {"int4"}), {});
  const NamedTensors both = testing::flux_inputs(config, 2, 3);
  const Tensor together = fused.run(both).to(at::kFloat);
  for (int64_t b = 0; b < 2; ++b) {
    NamedTensors one = both;
    for (const char* name :
         {"hidden_states", "encoder_hidden_states", "pooled_projections", "timestep", "guidance"})
      one[name] = both.at(name).slice(0, b, b + 1);
    EXPECT_LE(relative_difference(fused.run(one).to(at::kFloat), together.slice(0, b, b + 1)), 0.02);
  }
}

TEST(FusedExecutor, LinearsWithoutAKernelRunOnTheReferencePath) {
  const SingleThreadScope one_thread;
  const FluxConfig config = testing::small_flux();
  const Graph graph = testing::random_flux(config);
  CompressedModel model = compressed_model(graph, {"int4"});
  std::get<LowBitBranch>(model.linears.at("transformer_blocks.0.attn.to_k").branches.back())
      .activations->shift_after_gelu = false;  // served, with an input of its own
  CompressedLinear& out = model.linears.at("single_transformer_blocks.0.proj_out");
  out.then.emplace_back(Permute{at::arange(out.in_features()).flip(0)});
  const NamedTensors inputs = testing::flux_inputs(config, 1, 3);
  const std::vector<Tensor> values = reference_values(graph, model, inputs);
  const FusedExecutor fused(graph, model, {});
  compare_nodes(graph, fused, values);
  EXPECT_LE(output_difference(fused.run(inputs), values[graph.output]), 0.03);
}

TEST(FusedExecutor, ObserversSeeWhatHasAValue) {
  const SingleThreadScope one_thread;
  const FluxConfig config = testing::small_flux();
  const Graph graph = testing::random_flux(config);
  const FusedExecutor fused(graph, compressed_model(graph, {"int4"}), {});
  std::set<std::string> seen;
  fused.run(testing::flux_inputs(config, 1, 3), [&](int node, const auto&, const Tensor& value) {
    EXPECT_TRUE(value.defined());
    seen.insert(graph.nodes[node].id);
  });
  EXPECT_EQ(seen.count("transformer_blocks.0.attn.rope_q"), 1u);
  EXPECT_EQ(seen.count("transformer_blocks.0.attn.to_q"), 0u);
  EXPECT_EQ(seen.count("single_transformer_blocks.0.proj_out"), 1u);
  EXPECT_EQ(seen.count("single_transformer_blocks.0.proj_in"), 0u);
}

/// One forward of the embedded model; pictures of 32 x 32 are 256 tokens.
struct Embedded {
  Model model = load_model(SVDLAB_SOURCE_DIR "/notebooks_data/models/flux-cifar");
  CompressedModel compressed;
  NamedTensors inputs;

  Embedded(const char* scheme, int64_t side) : compressed(compressed_model(model.graph, {scheme})) {
    const Conditioning conditioning = load_conditioning(model.path);
    FluxConfig config = testing::small_flux();
    inputs = testing::flux_inputs(config, 1, side);
    inputs["encoder_hidden_states"] = conditioning.tokens.slice(0, 3, 4);
    inputs["pooled_projections"] = conditioning.pooled.slice(0, 3, 4);
    inputs["txt_ids"] = at::zeros({conditioning.tokens.size(1), 3});
  }
};

TEST(FusedExecutor, EmbeddedModelNodeByNode) {
  const SingleThreadScope one_thread;
  const Embedded e("int4", 4);
  const FusedExecutor fused(e.model.graph, e.compressed, {});
  const std::vector<Tensor> values = reference_values(e.model.graph, e.compressed, e.inputs);
  const WorstNode worst = compare_nodes(e.model.graph, fused, values);
  std::printf("worst node: %s, %.1f dB\n", worst.node.c_str(), worst.db);
}

class FusedExecutorGpu : public ::testing::TestWithParam<const char*> {
  void SetUp() override {
    if (const std::string problem = gpu_problem(); !problem.empty())
      GTEST_SKIP() << "no CUDA device: " << problem;
  }
};

TEST_P(FusedExecutorGpu, EmbeddedModelNodeByNode) {
  const Embedded e(GetParam(), 16);
  const FusedExecutor fused(e.model.graph, e.compressed, {.device = at::Device(at::kCUDA, 0)});
  const std::vector<Tensor> values = reference_values(e.model.graph, e.compressed, e.inputs);
  const WorstNode worst = compare_nodes(e.model.graph, fused, values);
  std::printf("%s, worst node: %s, %.1f dB\n", GetParam(), worst.node.c_str(), worst.db);
  // Rounding flips codes, and flipped codes flip more of them: outputs of a whole forward differ about as
  // much as either does from 16 bit. What must agree is how far they are from it.
  const Tensor out = fused.run(e.inputs), &reference = values[e.model.graph.output];
  const Tensor exact = Executor(e.model.graph).run(e.inputs);
  const double fused_db = -20 * std::log10(output_difference(out, exact));
  const double reference_db = -20 * std::log10(output_difference(reference, exact));
  std::printf("%s, output of one forward against 16 bit: %.2f dB, the reference's %.2f dB\n", GetParam(),
              fused_db, reference_db);
  const bool ok = std::abs(fused_db - reference_db) <= 1.5;
  EXPECT_TRUE(ok) << fused_db << " dB, the reference " << reference_db << " dB";
  testing::expect_identical(fused.run(e.inputs).to(at::kCPU), out.to(at::kCPU));
}

INSTANTIATE_TEST_SUITE_P(Schemes, FusedExecutorGpu,
                         ::testing::Values("int4", "nvfp4", "w8a8", "w4a8-int4-g64", "w4a16-int4-g64"));

TEST(FusedExecutor, WithoutAGpuIsRefusedByName) {
  const std::string problem = gpu_problem();
  if (problem.empty()) GTEST_SKIP() << "there is a GPU";
  const Graph graph = testing::random_flux(testing::small_flux());
  EXPECT_TRUE(testing::throws_error([&] { FusedExecutor(graph, {}, {.device = at::Device(at::kCUDA, 0)}); },
                                    Errc::kConfig, {"unsupported", "cuda:0", problem}));
}

}  // namespace
}  // namespace svdlab
