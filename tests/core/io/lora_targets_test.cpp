#include "core/io/lora_targets.h"

#include <gtest/gtest.h>

#include "tests/core/io/exported_flux.h"
#include "tests/core/io/lora_files.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::random_tensor;
using testing::throws_error;

LoraModule module(const std::string& name, int64_t rows, int64_t columns, int64_t rank = 2) {
  return {name, random_tensor({rank, columns}, name + "/A"), random_tensor({rows, rank}, name + "/B"), 0.5};
}

// hidden 64, FF 256.
std::vector<LinearShape> flux_linears() {
  std::vector<LinearShape> out;
  for (const LinearSpec& l : testing::small_flux().linears)
    out.push_back({l.name, l.out_features(), l.in_features()});
  return out;
}

TEST(LoraTargets, KnowsDiffusersNamesBehindEveryPrefix) {
  for (const char* name :
       {"transformer_blocks.0.attn.to_q", "transformer.transformer_blocks.0.attn.to_q",
        "base_model.model.transformer_blocks.0.attn.to_q", "lora_unet_transformer_blocks_0_attn_to_q",
        "lora_transformer_transformer_blocks_0_attn_to_q"}) {
    const MatchedLora m = match_lora({.modules = {module(name, 64, 64)}}, flux_linears(), 0.8);
    ASSERT_EQ(m.deltas.size(), 1u) << name;
    EXPECT_EQ(m.deltas.begin()->first, "transformer_blocks.0.attn.to_q");
    EXPECT_EQ(m.deltas.begin()->second.at(0).scale, 0.4);
  }
  EXPECT_EQ(match_lora({.modules = {module("transformer.single_transformer_blocks.0.proj_out", 64, 320)}},
                       flux_linears(), 1)
                .deltas.begin()
                ->first,
            "single_transformer_blocks.0.proj_out");
}

TEST(LoraTargets, KnowsEveryLinearUnderItsFirstName) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> names = {
      {"double_blocks.0.img_attn.proj", {"transformer_blocks.0.attn.to_out.0"}},
      {"double_blocks.0.txt_attn.proj", {"transformer_blocks.0.attn.to_add_out"}},
      {"double_blocks.0.img_mlp.0", {"transformer_blocks.0.ff.net.0.proj"}},
      {"double_blocks.0.img_mlp.2", {"transformer_blocks.0.ff.net.2"}},
      {"double_blocks.0.txt_mlp.0", {"transformer_blocks.0.ff_context.net.0.proj"}},
      {"double_blocks.0.txt_mlp.2", {"transformer_blocks.0.ff_context.net.2"}},
      {"double_blocks.0.img_mod.lin", {"transformer_blocks.0.norm1.linear"}},
      {"double_blocks.0.txt_mod.lin", {"transformer_blocks.0.norm1_context.linear"}},
      {"double_blocks.0.img_attn.qkv",
       {"transformer_blocks.0.attn.to_q", "transformer_blocks.0.attn.to_k",
        "transformer_blocks.0.attn.to_v"}},
      {"double_blocks.0.txt_attn.qkv",
       {"transformer_blocks.0.attn.add_q_proj", "transformer_blocks.0.attn.add_k_proj",
        "transformer_blocks.0.attn.add_v_proj"}},
      {"single_blocks.0.linear1",
       {"single_transformer_blocks.0.attn.to_q", "single_transformer_blocks.0.attn.to_k",
        "single_transformer_blocks.0.attn.to_v", "single_transformer_blocks.0.proj_mlp"}},
      {"single_blocks.0.linear2", {"single_transformer_blocks.0.proj_out"}},
      {"single_blocks.0.modulation.lin", {"single_transformer_blocks.0.norm.linear"}},
      {"img_in", {"x_embedder"}},
      {"txt_in", {"context_embedder"}},
      {"time_in.in_layer", {"time_text_embed.timestep_embedder.linear_1"}},
      {"time_in.out_layer", {"time_text_embed.timestep_embedder.linear_2"}},
      {"vector_in.in_layer", {"time_text_embed.text_embedder.linear_1"}},
      {"vector_in.out_layer", {"time_text_embed.text_embedder.linear_2"}},
      {"final_layer.linear", {"proj_out"}},
      {"final_layer.adaLN_modulation.1", {"norm_out.linear"}},
  };
  std::map<std::string, LinearShape> shapes;
  for (const LinearShape& l : flux_linears()) shapes[l.name] = l;
  size_t seen = 0;
  for (const auto& [first, parts] : names) {
    int64_t rows = 0;
    for (const std::string& part : parts) rows += shapes.at(part).out_features;
    for (const bool kohya : {true, false}) {
      std::string name = (kohya ? "lora_unet_" : "diffusion_model.") + first;
      if (kohya) std::replace(name.begin(), name.end(), '.', '_');
      const LoraModule m = module(name, rows, shapes.at(parts[0]).in_features);
      const MatchedLora matched = match_lora({.modules = {m}}, flux_linears(), 1);
      ASSERT_EQ(matched.deltas.size(), parts.size()) << name;
      int64_t row = 0;
      for (const std::string& part : parts) {
        const LoraDelta& d = matched.deltas.at(part).at(0);
        EXPECT_TRUE(d.down.is_same(m.down)) << part;
        const int64_t end = row + shapes.at(part).out_features;
        if (part != "norm_out.linear") expect_identical(d.up, m.up.slice(0, row, end));
        row = end;
      }
    }
    seen += parts.size();
  }
  EXPECT_EQ(seen, shapes.size());
}

TEST(LoraTargets, TurnsTheFinalModulationsHalvesRound) {
  const LoraModule m = module("lora_unet_final_layer_adaLN_modulation_1", 128, 64);
  const LoraDelta d = match_lora({.modules = {m}}, flux_linears(), 1).deltas.at("norm_out.linear").at(0);
  expect_identical(d.up.slice(0, 0, 64).contiguous(), m.up.slice(0, 64, 128).contiguous());
  expect_identical(d.up.slice(0, 64, 128).contiguous(), m.up.slice(0, 0, 64).contiguous());
}

TEST(LoraTargets, RefusesShapesWithNamesAndNumbers) {
  const auto match = [](const std::vector<LoraModule>& modules) {
    return match_lora({.path = "style.safetensors", .modules = modules}, flux_linears(), 1);
  };
  EXPECT_TRUE(throws_error([&] { match({module("transformer_blocks.0.attn.to_q", 64, 96)}); }, Errc::kInput,
                           {"style.safetensors", "transformer_blocks.0.attn.to_q", "[64, 96]", "[64, 64]"}));
  EXPECT_TRUE(throws_error([&] { match({module("lora_unet_single_blocks_0_linear1", 448 - 64, 64)}); },
                           Errc::kInput, {"single_blocks_0_linear1", "proj_mlp", "[384, 64]", "[448, 64]"}));
  EXPECT_TRUE(throws_error(
      [&] {
        match({module("transformer_blocks.0.attn.to_q", 64, 64),
               module("lora_unet_double_blocks_0_img_attn_qkv", 192, 64)});
      },
      Errc::kInput, {"both for transformer_blocks.0.attn.to_q"}));
  const MatchedLora other = match({module("transformer_blocks.7.attn.to_q", 64, 64)});
  EXPECT_TRUE(other.deltas.empty());
  EXPECT_EQ(other.unmatched, std::vector<std::string>{"transformer_blocks.7.attn.to_q"});
}

}  // namespace
}  // namespace svdlab
