#include "core/io/lora_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/io/files.h"
#include "core/io/lora_targets.h"
#include "core/ir/quantize.h"
#include "core/runtime/compressed_linear.h"
#include "tests/core/io/lora_files.h"

namespace svdlab {
namespace {

using testing::add_kohya;
using testing::add_peft;
using testing::expect_identical;
using testing::random_tensor;
using testing::throws_error;

class LoraFileTest : public ::testing::Test {
 protected:
  std::string save(const std::vector<StWrite>& tensors,
                   const std::map<std::string, std::string>& metadata = {}) const {
    save_safetensors(dir_.file("style.safetensors"), tensors, metadata);
    return dir_.file("style.safetensors");
  }
  bool refused(const std::vector<StWrite>& tensors, const std::vector<std::string>& parts,
               const std::map<std::string, std::string>& metadata = {}) const {
    const auto result = throws_error([&] { load_lora(save(tensors, metadata)); }, Errc::kInput, parts);
    if (!result) ADD_FAILURE() << result.message();
    return static_cast<bool>(result);
  }
  testing::TempDir dir_;
};

TEST_F(LoraFileTest, ReadsEveryNaming) {
  std::vector<StWrite> tensors;
  add_kohya(tensors, "lora_unet_a", 6, 8, 4, 2);
  add_peft(tensors, "transformer.b", 6, 8, 3);
  tensors.push_back({"c.lora_A.default.weight", random_tensor({2, 8}, "c")});
  tensors.push_back({"c.lora_B.default.weight", random_tensor({6, 2}, "c2")});
  tensors.push_back({"d.lora.down.weight", random_tensor({2, 8, 1, 1}, "d")});
  tensors.push_back({"d.lora.up.weight", random_tensor({6, 2, 1, 1}, "d2")});
  tensors.push_back({"unet:7:down", random_tensor({1, 8}, "e")});
  tensors.push_back({"unet:7:up", random_tensor({6, 1}, "e2")});
  add_kohya(tensors, "lora_te1_x", 6, 8, 4, 2);
  const LoraFile lora = load_lora(save(tensors));
  EXPECT_EQ(lora.name, "style");
  EXPECT_EQ(lora.sha256, sha256_file(lora.path));
  ASSERT_EQ(lora.modules.size(), 5u);
  std::map<std::string, const LoraModule*> by_name;
  for (const LoraModule& m : lora.modules) {
    by_name[m.name] = &m;
    EXPECT_EQ(m.down.dim(), 2);
    EXPECT_EQ(m.up.dim(), 2);
  }
  EXPECT_EQ(by_name.at("lora_unet_a")->scale, 0.5);
  EXPECT_EQ(by_name.at("transformer.b")->scale, 1);
  expect_identical(by_name.at("lora_unet_a")->down, tensors[0].tensor);
  expect_identical(by_name.at("c")->up, tensors[6].tensor);
  EXPECT_EQ(by_name.at("unet:7")->up.size(0), 6);
  EXPECT_EQ(lora.left_out.size(), 3u);
}

TEST_F(LoraFileTest, ReadsPeftsStrength) {
  std::vector<StWrite> tensors;
  add_peft(tensors, "transformer.b", 6, 8, 4);
  const auto scale = [&](const std::string& json) {
    return load_lora(save(tensors, {{"lora_adapter_metadata", json}})).modules[0].scale;
  };
  EXPECT_EQ(scale(R"({"transformer.r": 4, "transformer.lora_alpha": 8})"), 2);
  EXPECT_EQ(scale(R"({"transformer.lora_alpha": 8, "transformer.use_rslora": true})"), 4);
  EXPECT_TRUE(refused(tensors, {"alpha_pattern"},
                      {{"lora_adapter_metadata", R"({"transformer.alpha_pattern": {"x": 3}})"}}));
  const std::string folder = dir_.file("adapter");
  make_directories(folder);
  save_safetensors(folder + "/adapter_model.safetensors", tensors);
  write_file(folder + "/adapter_config.json", R"({"r": 4, "lora_alpha": 2, "peft_type": "LORA"})");
  const LoraFile lora = load_lora(folder);
  EXPECT_EQ(lora.name, "adapter");
  EXPECT_EQ(lora.modules.at(0).scale, 0.5);
  write_file(folder + "/adapter_config.json", R"({"r": 4, "use_dora": true})");
  EXPECT_TRUE(throws_error([&] { load_lora(folder); }, Errc::kInput, {"DoRA"}));
}

TEST_F(LoraFileTest, RefusesWhatIsNoLora) {
  const Tensor down = random_tensor({4, 8}, "down"), up = random_tensor({6, 4}, "up");
  EXPECT_TRUE(refused({{"a.lora_down.weight", down}}, {"a.lora_down.weight", "up"}));
  EXPECT_TRUE(refused({{"a.alpha", at::ones({})}}, {"a.alpha"}));
  EXPECT_TRUE(refused({{"a.lora_down.weight", down}, {"a.lora_up.weight", random_tensor({6, 3}, "x")}},
                      {"a", "[4, 8]", "[6, 3]"}));
  EXPECT_TRUE(refused({{"a.lora_down.weight", down}, {"a.lora_up.weight", up}, {"a.alpha", at::ones({2})}},
                      {"a.alpha", "[2]"}));
  EXPECT_TRUE(refused({{"a.lora_down.weight", down}, {"a.lora_up.weight", up}, {"a.dora_scale", up}},
                      {"dora_scale", "DoRA"}));
  EXPECT_TRUE(refused({{"a.hada_w1_a", down}}, {"hada_w1_a", "LoHa"}));
  EXPECT_TRUE(refused({{"a.diff", down}}, {"a.diff", "lora_down"}));
  EXPECT_TRUE(refused({{"a.lora_down.weight", random_tensor({4, 8, 3, 3}, "conv")}, {"a.lora_up.weight", up}},
                      {"a.lora_down.weight", "[4, 8, 3, 3]"}));
  EXPECT_TRUE(refused({{"a.lora_down.weight", down.clone().fill_(NAN)}, {"a.lora_up.weight", up}},
                      {"a.lora_down.weight", "finite"}));
  EXPECT_TRUE(refused({{"a.lora_down.weight", down.to(at::kInt)}, {"a.lora_up.weight", up}},
                      {"a.lora_down.weight", "I32"}));
  EXPECT_TRUE(refused({{"a.lora_A.x.weight", down}, {"a.lora_A.y.weight", down}, {"a.lora_B.x.weight", up}},
                      {"lora_A.x", "lora_A.y"}));
  EXPECT_TRUE(refused({{"text_encoder.a.lora_A.weight", down}}, {"no LoRA of a transformer"}));
}

// Adapters that people made, on quantized linears of their shapes.
TEST_F(LoraFileTest, RealAdaptersJoinQuantizedLinearsOfTheirShapes) {
  for (const auto& [file, rank] : {std::pair("analog_svd_rank4", 4), std::pair("lora_disney", 1)}) {
    const std::string path = concat(SVDLAB_SOURCE_DIR "/../shared/data/lora_sd15/", file, ".safetensors");
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path;
    const LoraFile lora = load_lora(path);
    EXPECT_GE(lora.left_out.size(), 96u);
    ASSERT_GT(lora.modules.size(), 50u);
    double worst = 0;
    for (size_t i = 0; i < lora.modules.size(); i += 16) {
      const LoraModule& m = lora.modules[i];
      ASSERT_EQ(m.down.size(0), rank);
      const int64_t rows = m.up.size(0), columns = m.down.size(1);
      CompressedLinear base{.name = m.name};
      base.smooth = random_tensor({columns}, m.name).abs().add(0.5).to(at::kBFloat16).to(at::kFloat);
      const TensorScheme scheme{.grouping = Grouping::kRow};
      base.branches.emplace_back(LowBitBranch{quantize(random_tensor({rows, columns}, "w").mul(0.02), scheme),
                                              {},
                                              {{0, columns, Producer::kInput}}});
      std::vector<CompressedLinear> attached = {base};
      const MatchedLora matched = match_lora(lora, {{m.name, rows, columns}}, 1);
      ASSERT_EQ(matched.deltas.size(), 1u);
      append_lora(attached, matched.deltas);
      const Tensor x = random_tensor({8, columns}, "x");
      const Tensor merged = merged_weight(base.effective_weight(), matched.deltas.at(m.name));
      const Tensor want = x.to(at::kDouble).mm(merged.to(at::kDouble).t());
      const Tensor got = run_compressed(attached[0], x, Execution::kDequantized);
      worst = std::max(worst, ((got - want).norm() / want.norm()).item<double>());
    }
    EXPECT_TRUE(worst <= 1e-6) << file << ": " << worst;
  }
}

}  // namespace
}  // namespace svdlab
