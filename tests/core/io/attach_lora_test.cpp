#include "core/io/attach_lora.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/io/compressed_file.h"
#include "core/io/export_nunchaku.h"
#include "core/io/files.h"
#include "core/runtime/compressed_linear.h"
#include "tests/core/io/exported_flux.h"
#include "tests/core/io/lora_files.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

using testing::add_kohya;
using testing::add_peft;
using testing::expect_close;
using testing::expect_identical_linears;
using testing::random_tensor;
using testing::throws_error;

std::map<std::string, std::string> bytes_of(const std::string& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::directory_iterator(folder))
    out[entry.path().filename().string()] = read_file(entry.path().string());
  return out;
}

// A small FLUX, quantized: hidden 64, one block of either kind.
class AttachLora : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(base_);
    std::vector<std::string> files;
    for (const LayerGroup& group : graph_.groups) {
      CompressedUnit unit;
      for (const int member : group.members)
        if (const auto found = model_.linears.find(graph_.linears[member].name);
            found != model_.linears.end())
          unit.push_back({found->second, group.name, "int4", "test"});
      if (!unit.empty()) files.push_back(write_compressed_group(base_, unit, "f00d"));
    }
    write_compressed_index(base_, {.fingerprint = "f00d", .model_class = "Flux", .model_hash = "abc"}, files);
  }

  LoraFile adapter(const std::string& name, const std::vector<StWrite>& tensors) const {
    save_safetensors(dir_.file(name + ".safetensors"), tensors);
    return load_lora(dir_.file(name + ".safetensors"));
  }
  // Fused linears with kohya's names; some members of a partition and adaLN with PEFT's.
  LoraFile kohya() const {
    std::vector<StWrite> tensors;
    add_kohya(tensors, "lora_unet_double_blocks_0_img_attn_qkv", 192, 64, 4, 2);
    add_kohya(tensors, "lora_unet_single_blocks_0_linear1", 448, 64, 4, 4);
    add_kohya(tensors, "lora_unet_single_blocks_0_linear2", 64, 320, 4, 8);
    return adapter("kohya", tensors);
  }
  LoraFile peft() const {
    std::vector<StWrite> tensors;
    add_peft(tensors, "transformer.transformer_blocks.0.attn.to_k", 64, 64, 8);
    add_peft(tensors, "transformer.transformer_blocks.0.norm1.linear", 384, 64, 2);
    return adapter("peft", tensors);
  }

  // Outputs of every linear against the base's plus what `deltas` add, on the worst.
  double worst(const std::string& folder, const LoraDeltas& deltas) const {
    const CompressedModel attached = CompressedFolder(folder).load_model();
    double out = 0;
    for (const auto& [name, linear] : model_.linears) {
      const Tensor x = random_tensor({16, linear.in_features()}, name);
      Tensor want = run_compressed(linear, x, Execution::kDequantized).to(at::kDouble);
      if (const auto found = deltas.find(name); found != deltas.end())
        for (const LoraDelta& d : found->second)
          want =
              want + d.scale * x.to(at::kDouble).mm(d.down.to(at::kDouble).t()).mm(d.up.to(at::kDouble).t());
      const Tensor got = run_compressed(attached.linears.at(name), x, Execution::kDequantized);
      out = std::max(out, ((got - want).norm() / want.norm()).item<double>());
    }
    return out;
  }

  Graph graph_ = testing::small_flux();
  CompressedModel model_ = testing::random_flux_model(graph_, scheme_named("int4"), 4);
  testing::TempDir dir_;
  std::string base_ = dir_.file("base");
};

// The same modules by hand: what they add, by linear.
LoraDelta part(const LoraModule& m, int64_t begin, int64_t end, double strength) {
  return {m.down, m.up.slice(0, begin, end), strength * m.scale};
}

TEST_F(AttachLora, OutputIsTheBasesPlusTheAdapters) {
  const LoraFile k = kohya(), p = peft();
  const AttachedLora done = attach_lora(base_, k, {.strength = 0.8}, dir_.file("one"));
  EXPECT_EQ(done.linears.size(), 3u + 4 + 1);
  EXPECT_EQ(done.rank, 4);
  attach_lora(dir_.file("one"), p, {.strength = -0.5}, dir_.file("two"));
  LoraDeltas deltas;
  for (const LoraModule& m : k.modules) {
    const std::string block =
        m.name.find("double") != std::string::npos ? "transformer_blocks.0." : "single_transformer_blocks.0.";
    if (m.name.find("linear2") != std::string::npos) {
      deltas[block + "proj_out"] = {part(m, 0, 64, 0.8)};
      continue;
    }
    deltas[block + "attn.to_q"] = {part(m, 0, 64, 0.8)};
    deltas[block + "attn.to_k"] = {part(m, 64, 128, 0.8)};
    deltas[block + "attn.to_v"] = {part(m, 128, 192, 0.8)};
    if (m.up.size(0) > 192) deltas[block + "proj_mlp"] = {part(m, 192, 448, 0.8)};
  }
  EXPECT_TRUE(worst(dir_.file("one"), deltas) <= 5e-7) << worst(dir_.file("one"), deltas);
  for (const LoraModule& m : p.modules)
    deltas[m.name.substr(std::string("transformer.").size())].push_back(part(m, 0, m.up.size(0), -0.5));
  EXPECT_TRUE(worst(dir_.file("two"), deltas) <= 5e-7) << worst(dir_.file("two"), deltas);
  EXPECT_EQ(CompressedFolder(dir_.file("two")).adapters().size(), 2u);
}

TEST_F(AttachLora, OneLinearAloneIsTheSameAsInItsUnit) {
  attach_lora(base_, kohya(), {}, dir_.file("one"));
  const CompressedFolder folder(dir_.file("one"));
  const CompressedModel whole = folder.load_model();
  for (const std::string& name : folder.names())
    expect_identical_linears(folder.load(name), whole.linears.at(name));
  const auto down = [&](const char* name) { return whole.linears.at(name).low_rank()->down; };
  EXPECT_TRUE(down("transformer_blocks.0.attn.to_q").is_same(down("transformer_blocks.0.attn.to_v")));
  EXPECT_EQ(down("transformer_blocks.0.attn.to_q").size(0), 4 + 4);
}

TEST_F(AttachLora, StrengthZeroChangesNoOutputBit) {
  attach_lora(base_, kohya(), {.strength = 0}, dir_.file("zero"));
  const CompressedModel attached = CompressedFolder(dir_.file("zero")).load_model();
  for (const auto& [name, linear] : model_.linears)
    expect_identical_linears(attached.linears.at(name), linear);
}

TEST_F(AttachLora, DetachGivesEveryByteBack) {
  const auto before = bytes_of(base_);
  attach_lora(base_, kohya(), {.strength = 0.8}, dir_.file("one"));
  attach_lora(dir_.file("one"), peft(), {}, dir_.file("two"));
  EXPECT_EQ(bytes_of(dir_.file("two")).size(), before.size() + 2);
  detach_lora(dir_.file("two"), "kohya", dir_.file("peft-alone"));
  attach_lora(base_, peft(), {}, dir_.file("peft"));
  EXPECT_TRUE(bytes_of(dir_.file("peft-alone")) == bytes_of(dir_.file("peft")));
  detach_lora(dir_.file("peft-alone"), "peft", dir_.file("none"));
  EXPECT_TRUE(bytes_of(dir_.file("none")) == before);
  EXPECT_TRUE(bytes_of(base_) == before);
}

TEST_F(AttachLora, ExportedFilesHoldTheAdapter) {
  attach_lora(base_, kohya(), {.strength = 0.8}, dir_.file("one"));
  const CompressedModel attached = CompressedFolder(dir_.file("one")).load_model();
  export_nunchaku(dir_.file("n.safetensors"), testing::small_flux_source(attached, graph_),
                  NunchakuNames::kCurrent);
  const CompressedModel read = read_nunchaku(dir_.file("n.safetensors"), graph_);
  for (const auto& [name, linear] : attached.linears) {
    if (!linear.low_rank()) continue;
    const LowRankBranch &a = *linear.low_rank(), &b = *read.linears.at(name).low_rank();
    expect_close((b.up.mm(b.down)).div(linear.smooth), a.up.mm(a.down).div(linear.smooth), 8e-3);
  }
}

TEST_F(AttachLora, RefusesWhatDoesNotFit) {
  const std::string out = dir_.file("out");
  std::vector<StWrite> tensors;
  add_kohya(tensors, "lora_unet_double_blocks_0_img_attn_qkv", 3 * 3072, 3072, 4);
  EXPECT_TRUE(throws_error([&] { attach_lora(base_, adapter("big", tensors), {}, out); }, Errc::kInput,
                           {"img_attn_qkv", "[9216, 3072]", "transformer_blocks.0.attn.to_k", "[192, 64]"}));
  tensors.clear();
  add_peft(tensors, "transformer.transformer_blocks.0.attn.to_q", 64, 64, 4);
  add_peft(tensors, "transformer.x_embedder", 64, 4, 4);
  const LoraFile some = adapter("some", tensors);
  EXPECT_TRUE(throws_error([&] { attach_lora(base_, some, {}, out); }, Errc::kConfig,
                           {"1 of 2 modules", "x_embedder", "--partial", "merge"}));
  EXPECT_FALSE(fs::exists(out));
  const AttachedLora done = attach_lora(base_, some, {.partial = true}, out);
  EXPECT_EQ(done.linears, std::vector<std::string>{"transformer_blocks.0.attn.to_q"});
  EXPECT_EQ(done.left_out, std::vector<std::string>{"transformer.x_embedder"});
  EXPECT_TRUE(throws_error([&] { attach_lora(out, some, {.partial = true}, dir_.file("x")); }, Errc::kConfig,
                           {"some", "attached already"}));
  EXPECT_TRUE(
      throws_error([&] { attach_lora(base_, kohya(), {}, out); }, Errc::kConfig, {"is there already"}));
  EXPECT_TRUE(throws_error([&] { detach_lora(out, "sone", dir_.file("x")); }, Errc::kConfig,
                           {"sone", "nearest: some"}));
  EXPECT_TRUE(
      throws_error([&] { detach_lora(base_, "some", dir_.file("x")); }, Errc::kConfig, {"no adapter"}));
  EXPECT_TRUE(throws_error([&] { attach_lora(base_, kohya(), {.strength = NAN}, dir_.file("x")); },
                           Errc::kConfig, {"finite"}));
  for (const auto& entry : fs::directory_iterator(dir_.path()))
    EXPECT_EQ(entry.path().filename().string().find(".tmp."), std::string::npos) << entry.path();
}

TEST_F(AttachLora, ADamagedAdapterIsRefused) {
  attach_lora(base_, kohya(), {}, dir_.file("one"));
  attach_lora(base_, kohya(), {.strength = 0.5}, dir_.file("other"));
  const std::string file = dir_.file("one/adapter.kohya.safetensors");
  const auto refused = [&](const std::vector<std::string>& parts) {
    return throws_error([&] { CompressedFolder(dir_.file("one")).load_model(); }, Errc::kInput, parts);
  };
  const std::string whole = read_file(file);
  write_file(file, read_file(dir_.file("other/adapter.kohya.safetensors")));
  EXPECT_TRUE(refused({"adapter.kohya.safetensors", "is not the adapter"}));
  write_file(file, whole.substr(0, whole.size() / 2));
  EXPECT_TRUE(refused({"adapter.kohya.safetensors"}));
  fs::remove(file);
  EXPECT_TRUE(refused({"adapter.kohya.safetensors"}));
  std::string index = read_file(dir_.file("one/quantization.json"));
  const size_t at = index.find("\"strength\"");
  write_file(dir_.file("one/quantization.json"), index.replace(at, 10, "\"strenght\""));
  EXPECT_TRUE(refused({"strength"}));
}

}  // namespace
}  // namespace svdlab
