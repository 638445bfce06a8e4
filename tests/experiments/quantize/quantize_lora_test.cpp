#include "experiments/quantize/quantize_lora.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/io/compressed_file.h"
#include "core/io/files.h"
#include "core/io/lora_targets.h"
#include "experiments/cli/command.h"
#include "experiments/quantize/quantize.h"
#include "experiments/study/cell_config.h"
#include "lowrank/compress_model.h"
#include "tests/core/io/compressed_unit_samples.h"
#include "tests/core/io/lora_files.h"
#include "tests/support/random_model.h"

namespace svdlab {
namespace {

using testing::throws_error;

class QuantizeLora : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_random_model(model_);
    std::vector<StWrite> tensors;
    testing::add_kohya(tensors, "lora_unet_double_blocks_0_img_attn_qkv", 192, 64, 4, 2);
    testing::add_kohya(tensors, "lora_unet_single_blocks_0_linear2", 64, 320, 4);
    save_safetensors(style_, tensors);
    write_file(config_, "{scheme: int4, method: m, methods: {m: {driver: svdquant, low_rank: {rank: 4}}}}");
  }
  void run(const std::string& model, const std::string& out, const std::vector<LoraChoice>& loras,
           int threads = 1) const {
    quantize({.model = model,
              .out = dir_.file(out),
              .config = load_quantize_config({config_}, {}),
              .loras = loras,
              .threads = threads},
             Ranks());
  }

  testing::TempDir dir_;
  std::string model_ = dir_.file("model"), style_ = dir_.file("style.safetensors"),
              config_ = dir_.file("config.yaml");
};

TEST_F(QuantizeLora, IsThatOfTheMergedWeights) {
  const LoraFile lora = load_lora(style_);
  run(model_, "lora", {{style_, 0.8}}, 2);
  Model model = load_model(model_);
  std::vector<LinearShape> shapes;
  for (const LinearSpec& l : model.graph.linears)
    shapes.push_back({l.name, l.out_features(), l.in_features()});
  const LoraDeltas deltas = match_lora(lora, shapes, 0.8).deltas;
  ASSERT_EQ(deltas.size(), 4u);
  const QuantizeConfig config = load_quantize_config({config_}, {});
  const CompressedModel plain = compress_model(model.graph, {}, plan_for(model.graph, config.cell), {}).model;
  for (const auto& [name, list] : deltas) {
    LinearSpec& linear = model.graph.linears[model.graph.linear_index(name)];
    linear.weight = merged_weight(linear.weight, list);
  }
  CompressedModel merged = compress_model(model.graph, {}, plan_for(model.graph, config.cell), {}).model;
  const CompressedFolder folder(dir_.file("lora"));
  for (auto& [name, linear] : merged.linears) {
    linear.smooth_sharers = 1;  // of a vector that is not there
    testing::expect_identical_linears(folder.load(name), linear);
  }
  for (const auto& [name, list] : deltas)
    EXPECT_FALSE(merged.linears.at(name).low_bit()->weight.codes.equal(
        plain.linears.at(name).low_bit()->weight.codes));
  EXPECT_EQ(folder.header().model_hash, model_hash(model_));
  EXPECT_TRUE(throws_error([&] { run(model_, "lora", {{style_, 0.7}}); }, Errc::kConfig, {"configuration"}));
}

TEST_F(QuantizeLora, RefusesLayersThatStay16Bit) {
  std::vector<StWrite> tensors;
  const Graph graph = load_model(model_).graph;
  const LinearSpec& final = graph.linears[graph.linear_index("proj_out")];
  testing::add_peft(tensors, "transformer.proj_out", final.out_features(), final.in_features(), 2);
  save_safetensors(style_, tensors);
  EXPECT_TRUE(throws_error(
      [&] {
        run(model_, "out", {{style_, 1}});
      },
      Errc::kConfig, {"style.safetensors", "proj_out", "16 bit", "lora merge"}));
  tensors.clear();
  testing::add_peft(tensors, "transformer.blocks.7", 16, 64, 2);
  save_safetensors(style_, tensors);
  EXPECT_TRUE(throws_error(
      [&] {
        run(model_, "out", {{style_, 1}});
      },
      Errc::kConfig, {"transformer.blocks.7"}));
  EXPECT_FALSE(std::filesystem::exists(dir_.file("out")));
}

TEST_F(QuantizeLora, TheProgramAttachesDetachesAndMerges) {
  run(model_, "base", {});
  const auto program = [](std::vector<std::string> words) { return run_program(words); };
  EXPECT_EQ(
      program({"lora", "attach", dir_.file("base"), style_, "--scale", "0.5", "--out", dir_.file("on")}), 0);
  EXPECT_EQ(CompressedFolder(dir_.file("on")).adapters().at(0).strength, 0.5);
  EXPECT_EQ(program({"inspect", dir_.file("on")}), 0);
  EXPECT_TRUE(throws_error([&] { run(model_, "on", {}); }, Errc::kConfig, {"adapters attached"}));
  EXPECT_EQ(program({"lora", "detach", dir_.file("on"), style_, "--out", dir_.file("off")}), 0);
  for (const auto& entry : std::filesystem::directory_iterator(dir_.file("base"))) {
    const std::string name = entry.path().filename().string();
    EXPECT_EQ(read_file(dir_.file("off/" + name)), read_file(entry.path().string())) << name;
  }
  EXPECT_EQ(program({"lora", "merge", model_, style_, "--out", dir_.file("merged")}), 0);
  EXPECT_EQ(program({"quantize", model_, "--config", config_, "--lora", style_ + ":0.5", "--dry-run", "--out",
                     dir_.file("dry")}),
            0);
  EXPECT_EQ(program({"lora", "attack", model_, style_, "--out", dir_.file("x")}), 2);
  EXPECT_EQ(program({"lora", "attach", dir_.file("base"), "--out", dir_.file("x")}), 2);
}

TEST_F(QuantizeLora, StrengthIsReadFromTheText) {
  EXPECT_EQ(parse_lora_choice("a/b.safetensors").strength, 1);
  EXPECT_EQ(parse_lora_choice("a/b.safetensors:0.25").strength, 0.25);
  EXPECT_EQ(parse_lora_choice("a/b.safetensors:0.25").path, "a/b.safetensors");
  EXPECT_EQ(parse_lora_choice("a:2/b.safetensors").path, "a:2/b.safetensors");
  EXPECT_TRUE(throws_error([] { parse_lora_choice("b.safetensors:much"); }, Errc::kConfig, {"much", "0.8"}));
}

}  // namespace
}  // namespace svdlab
