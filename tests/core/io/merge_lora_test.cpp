#include "core/io/merge_lora.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/io/files.h"
#include "core/io/lora_targets.h"
#include "core/ir/lora.h"
#include "core/models/model.h"
#include "tests/core/io/lora_files.h"
#include "tests/support/random_model.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::throws_error;

class MergeLora : public ::testing::Test {
 protected:
  void SetUp() override { testing::write_random_model(model_); }
  LoraFile adapter(const std::vector<StWrite>& tensors) const {
    save_safetensors(dir_.file("style.safetensors"), tensors);
    return load_lora(dir_.file("style.safetensors"));
  }
  testing::TempDir dir_;
  std::string model_ = dir_.file("model"), out_ = dir_.file("out");
};

TEST_F(MergeLora, AddsToTheWeightsAndKeepsTheRest) {
  std::vector<StWrite> tensors;
  testing::add_kohya(tensors, "lora_unet_double_blocks_0_img_attn_qkv", 192, 64, 4, 2);
  testing::add_peft(tensors, "transformer.context_embedder", 64,
                    load_model(model_)
                        .graph.linears[load_model(model_).graph.linear_index("context_embedder")]
                        .in_features(),
                    3);
  const LoraFile lora = adapter(tensors);
  const std::string hash = model_hash(model_);
  const MergedLora done = merge_lora(model_, lora, 0.7, false, out_);
  EXPECT_EQ(done.weights.size(), 4u);
  EXPECT_EQ(model_hash(model_), hash);
  const Model before = load_model(model_), after = load_model(out_);
  std::vector<LinearShape> shapes;
  for (const LinearSpec& l : before.graph.linears)
    shapes.push_back({l.name, l.out_features(), l.in_features()});
  const LoraDeltas deltas = match_lora(lora, shapes, 0.7).deltas;
  size_t changed = 0;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Tensor &w = before.graph.linears[i].weight, &v = after.graph.linears[i].weight;
    const auto found = deltas.find(shapes[i].name);
    if (found == deltas.end()) {
      expect_identical(v, w);
      continue;
    }
    expect_identical(v, merged_weight(w, found->second).to(w.scalar_type()));
    EXPECT_GT((v.to(at::kFloat) - w.to(at::kFloat)).abs().max().item<float>(), 0);
    ++changed;
  }
  EXPECT_EQ(changed, 4u);
  EXPECT_EQ(read_file(out_ + "/config.json"), read_file(model_ + "/config.json"));
}

TEST_F(MergeLora, RefusesWhatDoesNotFit) {
  std::vector<StWrite> tensors;
  testing::add_kohya(tensors, "lora_unet_double_blocks_0_img_attn_qkv", 192, 64, 4, 2);
  testing::add_peft(tensors, "transformer.transformer_blocks.9.attn.to_q", 64, 64, 3);
  EXPECT_TRUE(throws_error([&] { merge_lora(model_, adapter(tensors), 1, false, out_); }, Errc::kConfig,
                           {"1 of 2", "transformer_blocks.9", "--partial"}));
  EXPECT_FALSE(std::filesystem::exists(out_));
  EXPECT_EQ(merge_lora(model_, adapter(tensors), 1, true, out_).left_out.size(), 1u);
  EXPECT_TRUE(throws_error([&] { merge_lora(model_, adapter(tensors), 1, true, out_); }, Errc::kConfig,
                           {"is there already"}));
  EXPECT_TRUE(throws_error([&] { merge_lora(dir_.file("none"), adapter(tensors), 1, true, out_ + "2"); },
                           Errc::kInput, {"does not exist"}));
}

}  // namespace
}  // namespace svdlab
