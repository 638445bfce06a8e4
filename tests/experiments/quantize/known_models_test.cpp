// The shipped configurations against the linears of the models they are for, as diffusers names them.
#include <gtest/gtest.h>

#include "core/io/compressed_file.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "experiments/quantize/quantize.h"
#include "experiments/quantize/quantize_plan.h"
#include "tests/support/module_names.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

std::string shipped(const std::string& file) {
  return SVDLAB_SOURCE_DIR "/experiments/configs/quantize/" + file;
}

struct Known {
  std::string class_name, config;
  int64_t w4a4, w4a16;  // how many linears
};

// 224 is what a published replication counts for PixArt-Sigma.
const std::vector<Known> kKnown = {
    {"FluxTransformer2DModel", "flux.yaml", 19 * 12 + 38 * 5, 19 * 2 + 38},
    {"PixArtTransformer2DModel", "pixart-sigma.yaml", 224, 0},
    {"SanaTransformer2DModel", "sana.yaml", 20 * 6, 0},
    {"UNet2DConditionModel", "sdxl.yaml", 70 * 8, 0},
};

// One linear for each line, without memory.
Graph graph_of(const std::vector<testing::ModuleLine>& lines) {
  Graph graph;
  std::set<std::string> seen;
  for (const auto& line : lines) {
    if (!seen.insert(line.pattern).second) continue;  // the same in blocks of another width
    const int index = static_cast<int>(graph.linears.size());
    const std::string name = line.first();
    graph.linears.push_back({.name = name,
                             .weight = at::zeros({1}).expand({line.out_features, line.in_features}),
                             .segments = {{0, line.in_features, Producer::kInput}}});
    graph.groups.push_back({.name = name, .members = {index}, .branches = {{index}}});
  }
  return graph;
}

TEST(KnownModels, EveryLinearIsInTheRightScheme) {
  const auto& names = testing::module_names();
  ASSERT_EQ(names.size(), kKnown.size());
  for (const Known& known : kKnown) {
    const Graph graph = graph_of(names.at(known.class_name));
    const QuantizeConfig config = load_quantize_config({shipped(known.config)}, {});
    const Unmatched unmatched = find_unmatched(graph, config);
    EXPECT_TRUE(unmatched.linears.empty() && unmatched.patterns.empty()) << known.config;
    const QuantizePlan plan = make_quantize_plan(graph, config);
    std::map<std::string, const Scheme*> scheme_of;
    for (size_t i = 0; i < graph.linears.size(); ++i)
      scheme_of[graph.linears[i].name] = &plan.rules[plan.rule_of[i]].scheme;
    int64_t w4a4 = 0, w4a16 = 0;
    for (const auto& line : names.at(known.class_name)) {
      const Scheme& scheme = *scheme_of.at(line.first());
      if (scheme.activations) w4a4 += line.count;
      if (scheme.weights && !scheme.activations) w4a16 += line.count;
      if (!scheme.weights) continue;
      EXPECT_NE(line.pattern.find("blocks.#."), std::string::npos) << line.pattern;
      EXPECT_EQ(line.in_features % 64, 0) << line.pattern;
    }
    EXPECT_EQ(w4a4, known.w4a4) << known.config;
    EXPECT_EQ(w4a16, known.w4a16) << known.config;
  }
}

TEST(KnownModels, APixArtBlockIsQuantized) {
  const testing::TempDir dir;
  std::vector<StWrite> tensors;
  std::map<std::string, Tensor> sorted;
  for (const auto& line : testing::module_names().at("PixArtTransformer2DModel"))
    sorted[line.first() + ".weight"] = testing::random_tensor({64, 64}, line.pattern).to(at::kBFloat16);
  for (const auto& [name, tensor] : sorted) tensors.push_back({name, tensor});
  make_directories(dir.file("model"));
  save_safetensors(dir.file("model/diffusion_pytorch_model.safetensors"), tensors);
  write_file(dir.file("model/config.json"), R"({"_class_name": "PixArtTransformer2DModel"})");
  const QuantizeConfig config = load_quantize_config(
      {shipped("pixart-sigma.yaml")}, {"methods.full.preset=svd", "methods.full.low_rank.rank=4"});
  quantize({.model = dir.file("model"), .out = dir.file("out"), .config = config, .threads = 1}, Ranks());
  const CompressedFolder folder(dir.file("out"));
  EXPECT_EQ(folder.names().size(), 8u);
  EXPECT_FALSE(folder.has("transformer_blocks.0.attn2.to_k"));
  const CompressedModel model = folder.load_model();
  const auto down = [&](const char* name) { return model.linears.at(name).low_rank()->down; };
  EXPECT_TRUE(down("transformer_blocks.0.attn1.to_q").is_same(down("transformer_blocks.0.attn1.to_v")));
}

}  // namespace
}  // namespace svdlab
