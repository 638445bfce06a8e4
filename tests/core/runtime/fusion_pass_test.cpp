#include "core/runtime/fusion_pass.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/models/model.h"
#include "tests/support/fused_problem.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::compressed_model;

std::map<std::string, const NodePath*> by_name(const Graph& graph, const FusionPlan& plan) {
  std::map<std::string, const NodePath*> out;
  for (const NodePath& p : plan.paths) out[graph.nodes[p.node].id] = &p;
  return out;
}

TEST(FusionPass, CoversBothKindsOfBlocks) {
  const Graph graph = testing::random_flux(testing::small_flux());
  const FusionPlan plan = plan_fusion(graph, compressed_model(graph, {"int4"}), 90);
  const std::string text = to_text(graph, plan);
  const std::string d = "transformer_blocks.0.", s = "single_transformer_blocks.0.";
  for (const std::string& line :
       {"weight-only (time_text_embed.silu) -> " + d + "norm1.linear\n",
        "quantize+down layer_norm+modulate(x_embedder) -> " + d + "attn.to_q | " + d + "attn.to_k | " + d +
            "attn.to_v +norm+rope\n",
        "quantize+down layer_norm+modulate(context_embedder) -> " + d + "attn.add_q_proj | " + d +
            "attn.add_k_proj | " + d + "attn.add_v_proj +norm+rope\n",
        "quantize+down (" + d + "attn.image_tokens) -> " + d + "attn.to_out.0\n",
        "quantize+down layer_norm+modulate(" + d + "attn_residual) -> " + d + "ff.net.0.proj\n",
        "quantize+down gelu(" + d + "ff.net.0.proj) -> " + d + "ff.net.2\n",
        "quantize+down layer_norm+modulate(joint_tokens) -> " + s + "attn.to_q | " + s + "attn.to_k | " + s +
            "attn.to_v +norm+rope, " + s + "proj_mlp\n",
        "quantize+down (" + s + "attn) gelu(" + s + "proj_mlp) -> " + s + "proj_out\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "is not in\n" << text;
  const auto paths = by_name(graph, plan);
  for (const char* fused : {"attn.rope_q", "attn.joint_v", "ff.net.0.gelu", "norm2_context.modulate"})
    EXPECT_EQ(paths.at(d + fused)->path, "fused") << fused;
  for (const char* torch : {"attn", "attn_residual", "norm1.chunk.0"})
    EXPECT_EQ(paths.at(d + torch)->path, "torch") << torch;
  EXPECT_EQ(paths.at("x_embedder")->reason, "stays in 16 bit");
  EXPECT_EQ(paths.at(s + "proj_in")->served, s + "proj_out");
}

TEST(FusionPass, EveryNodeRunsOnceAndReadsWhatIsThere) {
  const Graph graph = testing::random_flux(testing::small_flux());
  for (const char* scheme : {"int4", "nvfp4", "w8a8"}) {
    const FusionPlan plan = plan_fusion(graph, compressed_model(graph, {scheme}), 90);
    std::set<int> covered, linears;
    for (const FusedNode& node : plan.nodes) {
      covered.insert(node.covers.begin(), node.covers.end());
      for (const FusedNode::Product& p : node.products)
        for (const int linear : p.nodes) EXPECT_TRUE(linears.insert(linear).second) << scheme;
    }
    for (const FusedNode& node : plan.nodes)
      for (const FusedNode::Source& s : node.sources) {
        EXPECT_LT(s.node, node.at);
        const bool is_made = covered.count(s.node) == 0 || linears.count(s.node) > 0;
        EXPECT_TRUE(is_made) << graph.nodes[s.node].id << " is read and has no value";
      }
  }
}

TEST(FusionPass, WhatIsNotServedSaysSoAndItsNeighboursStillAre) {
  const Graph graph = testing::random_flux(testing::small_flux());
  CompressedModel model = compressed_model(graph, {"int4"});
  const std::string attn = "transformer_blocks.0.attn.", single = "single_transformer_blocks.0.";
  model.linears.at(attn + "to_k").branches.emplace_back(SparseBranch{});
  model.linears.at(single + "proj_out").then.emplace_back(Permute{});
  model.linears.erase(single + "proj_mlp");
  const FusionPlan plan = plan_fusion(graph, model, 90);
  const auto paths = by_name(graph, plan);
  EXPECT_EQ(paths.at(attn + "to_k")->path, "reference");
  EXPECT_EQ(paths.at(attn + "to_k")->reason, "has a sparse branch");
  EXPECT_EQ(paths.at(single + "proj_out")->path, "reference");
  EXPECT_EQ(paths.at(single + "act_mlp")->path, "torch");
  EXPECT_EQ(paths.at(single + "proj_mlp")->path, "torch");
  // The other side of the joint attention has no partner, and what others read is computed for them.
  EXPECT_EQ(paths.at(attn + "add_q_proj")->path, "fused");
  EXPECT_EQ(paths.at(attn + "rope_q")->path, "torch");
  EXPECT_NE(paths.at(attn + "add_q_proj")->reason.find("other part of the tokens"), std::string::npos);
  EXPECT_NE(paths.at(attn + "to_q")->reason.find("norm1.modulate is read by others"), std::string::npos)
      << paths.at(attn + "to_q")->reason;
  EXPECT_EQ(paths.at("transformer_blocks.0.norm1.modulate")->path, "torch");
}

TEST(FusionPass, OlderArchitecturesDeclineByName) {
  const Graph graph = testing::random_flux(testing::small_flux());
  const FusionPlan plan = plan_fusion(graph, compressed_model(graph, {"int4"}), 75);
  const auto paths = by_name(graph, plan);
  const NodePath& path = *paths.at("transformer_blocks.0.attn.to_q");
  EXPECT_EQ(path.path, "reference");
  EXPECT_NE(path.reason.find("sm_75"), std::string::npos) << path.reason;
}

TEST(FusionPass, EmbeddedModelIsFusedThroughout) {
  const Model model = load_model(SVDLAB_SOURCE_DIR "/notebooks_data/models/flux-cifar");
  for (const char* scheme : {"int4", "nvfp4"}) {
    const FusionPlan plan = plan_fusion(model.graph, compressed_model(model.graph, {scheme}), 90);
    int64_t fused = 0;
    for (const NodePath& p : plan.paths) {
      EXPECT_NE(p.path, "reference") << model.graph.nodes[p.node].id << ": " << p.reason;
      fused += p.path == "fused" && model.graph.nodes[p.node].op == Op::kLinear;
    }
    int64_t in_blocks = 0;
    for (const LinearSpec& linear : model.graph.linears) in_blocks += !linear.block.empty();
    EXPECT_EQ(fused, in_blocks);
  }
}

// Widths of FLUX.1; weights are shapes alone.
TEST(FusionPass, FluxWidths) {
  const auto shape_only = [](int64_t rows, int64_t cols, at::ScalarType type) {
    return at::zeros({1, 1}, type).expand({rows, cols});
  };
  FluxConfig config;
  config.num_layers = config.num_single_layers = 1;
  const Graph graph = build_flux(config, [&](const std::string&, at::IntArrayRef shape) {
    return at::zeros({1}, at::kBFloat16).expand(shape);
  });
  const Scheme& int4 = scheme_named("int4");
  CompressedModel model;
  for (const LayerGroup& group : graph.groups)
    for (const std::vector<int>& branch : group.branches) {
      const Tensor down = shape_only(32, graph.linears[branch[0]].in_features(), at::kFloat);
      for (const int member : branch) {
        const LinearSpec& spec = graph.linears[member];
        if (spec.block.empty()) continue;
        const int64_t n = spec.out_features(), k = spec.in_features();
        CompressedLinear& linear = model.linears[spec.name];
        linear.name = spec.name;
        QuantizedTensor q{.scheme = *int4.weights,
                          .codes = shape_only(n, k, at::kByte),
                          .scales = shape_only(n, k / 64, at::kFloat)};
        if (spec.role == Role::kAdaLn) {
          linear.branches.emplace_back(LowBitBranch{q, {}, spec.segments});
          continue;
        }
        linear.branches.emplace_back(LowRankBranch{down, shape_only(n, 32, at::kFloat)});
        linear.branches.emplace_back(LowBitBranch{q, int4.activations, spec.segments});
      }
    }
  const FusionPlan plan = plan_fusion(graph, model, 90);
  EXPECT_EQ(plan.nodes.size(), 3u + 8u + 2u) << to_text(graph, plan);  // adaLN, double, single
  int with_heads = 0;
  for (const FusedNode& node : plan.nodes)
    for (const FusedNode::Product& p : node.products) with_heads += p.heads && p.heads->head_dim == 128;
  EXPECT_EQ(with_heads, 3) << to_text(graph, plan);
}

}  // namespace
}  // namespace svdlab
