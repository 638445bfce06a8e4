#include "core/models/linear_model.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "tests/support/module_names.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::throws_error;

class LinearModel : public ::testing::Test {
 protected:
  // Every linear that diffusers' model has, in its first block, 64 wide, and a convolution.
  std::string write(const std::string& class_name) const {
    const std::string folder = dir_.file(class_name);
    make_directories(folder);
    std::map<std::string, Tensor> tensors;
    for (const auto& line : testing::module_names().at(class_name)) {
      tensors[line.first() + ".weight"] = testing::random_tensor({64, 64}, line.pattern).to(at::kBFloat16);
      tensors[line.first() + ".bias"] = testing::random_tensor({64}, line.pattern).to(at::kBFloat16);
    }
    tensors["conv.weight"] = at::zeros({4, 4, 3, 3});
    std::vector<StWrite> list;
    for (const auto& [name, tensor] : tensors) list.push_back({name, tensor});
    save_safetensors(folder + "/diffusion_pytorch_model.safetensors", list);
    write_file(folder + "/config.json", concat("{\"_class_name\": \"", class_name, "\"}"));
    return folder;
  }
  testing::TempDir dir_;
};

TEST_F(LinearModel, GroupsAreLinearsOfOneInput) {
  for (const char* class_name :
       {"PixArtTransformer2DModel", "SanaTransformer2DModel", "UNet2DConditionModel"}) {
    EXPECT_TRUE(is_linear_model(class_name));
    const Model model = load_quantizable(write(class_name));
    EXPECT_EQ(model.class_name, class_name);
    std::map<std::string, std::vector<std::string>> groups;
    for (const LayerGroup& g : model.graph.groups) {
      for (const int member : g.members) groups[g.name].push_back(model.graph.linears[member].name);
      EXPECT_EQ(groups[g.name].front(), g.name);
      EXPECT_EQ(g.branches.size(), 1u);
    }
    std::set<std::string> first;
    for (const auto& line : testing::module_names().at(class_name)) first.insert(line.first());
    EXPECT_EQ(model.graph.linears.size(), first.size());
    size_t joint = 0;
    for (const auto& [name, members] : groups) {
      if (members.size() == 1) continue;
      ++joint;
      const std::string block = name.substr(0, name.find(".attn"));
      if (members.size() == 3)
        EXPECT_EQ(members, (std::vector<std::string>{block + ".attn1.to_q", block + ".attn1.to_k",
                                                     block + ".attn1.to_v"}));
      else
        EXPECT_EQ(members, (std::vector<std::string>{block + ".attn2.to_k", block + ".attn2.to_v"}));
    }
    EXPECT_EQ(joint, class_name == std::string("UNet2DConditionModel") ? 6u : 2u);
  }
}

TEST_F(LinearModel, OnlyGeluItselfIsShifted) {
  const auto producer = [&](const std::string& class_name, const std::string& linear) {
    const Graph graph = load_quantizable(write(class_name)).graph;
    return graph.linears[graph.linear_index(linear)].segments.at(0).producer;
  };
  EXPECT_EQ(producer("PixArtTransformer2DModel", "transformer_blocks.0.ff.net.2"), Producer::kGelu);
  EXPECT_EQ(producer("UNet2DConditionModel", "mid_block.attentions.0.transformer_blocks.0.ff.net.2"),
            Producer::kInput);
}

TEST_F(LinearModel, CannotBeRun) {
  const std::string folder = write("PixArtTransformer2DModel");
  EXPECT_TRUE(throws_error([&] { load_model(folder); }, Errc::kConfig,
                           {"PixArtTransformer2DModel", "can be quantized", "not run"}));
  EXPECT_FALSE(is_linear_model("FluxTransformer2DModel"));
  EXPECT_TRUE(throws_error([&] { load_quantizable(dir_.file("none")); }, Errc::kInput, {"does not exist"}));
  write_file(folder + "/config.json", R"({"_class_name": "FluxTransformer3DModel"})");
  EXPECT_TRUE(
      throws_error([&] { load_quantizable(folder); }, Errc::kConfig, {"nearest", "FluxTransformer2DModel"}));
}

}  // namespace
}  // namespace svdlab
