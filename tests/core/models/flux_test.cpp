#include "core/models/flux.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/safetensors.h"
#include "core/models/model.h"
#include "core/runtime/executor.h"

namespace svdlab {
namespace {

const std::string kGolden = SVDLAB_SOURCE_DIR "/tests/golden/flux/";

double relative_error(const Tensor& got, const Tensor& expected) {
  const Tensor g = got.to(at::kDouble), e = expected.to(at::kDouble);
  return ((g - e).norm() / e.norm()).item<double>();
}

NamedTensors golden_inputs(const SafetensorsFile& io) {
  NamedTensors inputs;
  for (const auto& [name, entry] : io.entries())
    if (name.rfind("in.", 0) == 0) inputs[name.substr(3)] = io.tensor(name);
  return inputs;
}

class FluxGolden : public testing::TestWithParam<const char*> {};

TEST_P(FluxGolden, Fp32OutputEqualsDiffusersInFloat64) {
  const Model model = load_model(kGolden + GetParam());
  const SafetensorsFile io(kGolden + GetParam() + "/io.st");
  const Executor executor(model.graph, {.precision = Precision::kFp32});
  const double error = relative_error(executor.run(golden_inputs(io)), io.tensor("out"));
  RecordProperty("relative_error", std::to_string(error));
  EXPECT_TRUE(error <= 1e-5) << error;
}

TEST_P(FluxGolden, Bf16RoundsEveryNodeButStaysNear) {
  const Model model = load_model(kGolden + GetParam());
  const SafetensorsFile io(kGolden + GetParam() + "/io.st");
  const Executor executor(model.graph);
  const auto on_grid = [&](int node, const std::vector<Tensor>&, const Tensor& out) {
    const Node& n = model.graph.nodes[node];
    const bool fp32 =
        n.op == Op::kRopeTable || (n.op == Op::kInput && (n.id == "timestep" || n.id == "guidance"));
    EXPECT_TRUE(fp32 || at::equal(out, out.to(at::kBFloat16).to(at::kFloat))) << n.id;
  };
  const double error = relative_error(executor.run(golden_inputs(io), on_grid), io.tensor("out"));
  EXPECT_TRUE(error <= 3e-2 && error > 1e-4) << error;
}

INSTANTIATE_TEST_SUITE_P(Diffusers, FluxGolden,
                         testing::Values("plain", "guidance", "three_double", "four_heads"));

TEST(Flux, GroupsFollowTheSharedInputs) {
  const Model model = load_model(kGolden + "three_double");
  const Graph& g = model.graph;
  const LayerGroup& single = g.group_of(g.linear_index("single_transformer_blocks.0.attn.to_k"));
  EXPECT_EQ(single.members.size(), 4u);
  ASSERT_EQ(single.branches.size(), 2u);
  EXPECT_EQ(single.branches[0].size(), 3u);
  EXPECT_EQ(g.linears[single.branches[1][0]].name, "single_transformer_blocks.0.proj_mlp");
  EXPECT_EQ(g.group_of(g.linear_index("transformer_blocks.2.attn.to_add_out")).smooth_tied_to,
            "transformer_blocks.2.attn.to_out.0");
  const LinearSpec& out = g.linears[g.linear_index("single_transformer_blocks.1.proj_out")];
  ASSERT_EQ(out.segments.size(), 2u);
  EXPECT_EQ(out.segments[1].producer, Producer::kGelu);
  EXPECT_EQ(out.segments[1].begin, 32);
  EXPECT_TRUE(g.linears[g.linear_index("transformer_blocks.0.norm1.linear")].t_only);
}

TEST(Flux, RunNodeRepeatsANodeOfTheRun) {
  const Model model = load_model(kGolden + "plain");
  const SafetensorsFile io(kGolden + "plain/io.st");
  const Executor executor(model.graph);
  executor.run(golden_inputs(io), [&](int node, const std::vector<Tensor>& inputs, const Tensor& out) {
    if (model.graph.nodes[node].op == Op::kInput) return;
    EXPECT_TRUE(at::equal(executor.run_node(node, inputs), out));
  });
}

TEST(Flux, GradientMatchesFiniteDifferences) {
  Model model = load_model(kGolden + "plain");
  const SafetensorsFile io(kGolden + "plain/io.st");
  LinearSpec& linear = model.graph.linears[model.graph.linear_index("transformer_blocks.0.attn.to_v")];
  linear.weight = linear.weight.clone().requires_grad_(true);
  const Executor executor(model.graph, {.precision = Precision::kFp32});
  const auto loss = [&] { return executor.run(golden_inputs(io)).square().mean(); };
  loss().backward();
  const double slope = linear.weight.grad()[3][5].item<double>();
  const NoGradGuard no_grad;
  const double step = 1e-2, middle = linear.weight[3][5].item<double>();
  linear.weight[3][5].fill_(middle + step);
  const double above = loss().item<double>();
  linear.weight[3][5].fill_(middle - step);
  const double below = loss().item<double>();
  EXPECT_NEAR(slope, (above - below) / (2 * step), 2e-2 * std::abs(slope) + 1e-4);
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Flux, RefusesWhatDoesNotFitByName) {
  Model model = load_model(kGolden + "plain");
  std::map<std::string, Tensor> tensors;
  model.graph.for_each_tensor([&](const std::string& name, Tensor& t) { tensors[name] = t; });
  FluxConfig config{.in_channels = 8,
                    .out_channels = 8,
                    .num_layers = 1,
                    .num_single_layers = 1,
                    .attention_head_dim = 16,
                    .num_attention_heads = 2,
                    .joint_attention_dim = 12,
                    .pooled_projection_dim = 10,
                    .axes_dims_rope = {4, 6, 6}};
  const auto build = [&] {
    Checkpoint checkpoint(tensors);
    build_flux(config, [&](const std::string& n, at::IntArrayRef s) { return checkpoint.take(n, s); });
    checkpoint.require_all_taken("folder");
  };
  EXPECT_EQ(message_of(build), "no error");
  config.num_layers = 2;
  EXPECT_THAT(message_of(build), testing::HasSubstr("transformer_blocks.1.norm1.linear.weight"));
  config.num_layers = 0;
  EXPECT_THAT(message_of(build), testing::HasSubstr("belongs to nothing"));
  config.num_layers = 1;
  config.joint_attention_dim = 13;
  EXPECT_THAT(message_of(build), testing::HasSubstr("[32, 12], config.json asks for [32, 13]"));
}

TEST(Flux, InputNamesAreChecked) {
  const Model model = load_model(kGolden + "guidance");
  const Executor executor(model.graph);
  EXPECT_THAT(message_of([&] { executor.run({}); }), testing::HasSubstr("needs an input \"hidden_states\""));
  EXPECT_THAT(message_of([&] {
                executor.run({{"guidence", Tensor()}});
              }),
              testing::HasSubstr("nearest: \"guidance\""));
}

}  // namespace
}  // namespace svdlab
