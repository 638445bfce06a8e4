#include "core/io/export_nunchaku.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "core/formats/bf16.h"
#include "core/io/exported_tensor.h"
#include "core/io/nunchaku_layout.h"
#include "tests/core/io/exported_flux.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::random_flux_model;
using testing::small_flux;
using testing::small_flux_source;
using testing::TempDir;
using testing::throws_error;

Tensor bf16(const Tensor& t) { return t.to(at::kBFloat16).to(at::kFloat); }

/// The tensor scale that a linear has in the file: its own, or as bf16 ratio to the largest of what it is
/// fused with.
float stored_tensor_scale(const CompressedModel& model, const std::string& name) {
  const float own = model.linears.at(name).low_bit()->weight.tensor_scale;
  for (const std::vector<const char*>& fused :
       {std::vector<const char*>{"to_q", "to_k", "to_v"}, {"add_q_proj", "add_k_proj", "add_v_proj"}}) {
    const size_t at = name.rfind('.');
    if (std::find(fused.begin(), fused.end(), name.substr(at + 1)) == fused.end()) continue;
    float largest = 0;
    for (const char* member : fused)
      largest =
          std::max(largest, model.linears.at(name.substr(0, at + 1) + member).low_bit()->weight.tensor_scale);
    return largest * bf16_round(own / largest);
  }
  return own;
}

void expect_kept(const CompressedLinear& read, const CompressedLinear& linear, float tensor_scale) {
  const QuantizedTensor &got = read.low_bit()->weight, &want = linear.low_bit()->weight;
  EXPECT_EQ(got.scheme, want.scheme);
  expect_identical(got.codes, want.codes);
  expect_identical(got.scales, want.scales);
  EXPECT_EQ(got.tensor_scale, tensor_scale);
  QuantizedTensor expected = want;
  expected.tensor_scale = tensor_scale;
  expect_identical(dequantize(got), dequantize(expected));
  ASSERT_EQ(read.low_bit()->segments.size(), linear.low_bit()->segments.size());
  for (size_t i = 0; i < read.low_bit()->segments.size(); ++i)
    EXPECT_EQ(read.low_bit()->segments[i].end, linear.low_bit()->segments[i].end);
}

class ExportNunchaku : public ::testing::TestWithParam<std::tuple<const char*, NunchakuNames>> {
 protected:
  const Scheme& scheme() const { return scheme_named(std::get<0>(GetParam())); }
  NunchakuNames names() const { return std::get<1>(GetParam()); }

  const Graph graph_ = small_flux();
  TempDir dir_;
  std::string path_ = dir_.file("flux.safetensors");
};

TEST_P(ExportNunchaku, HoldsTheModel) {
  for (const int64_t rank : {0, 5, 16}) {
    const CompressedModel model = random_flux_model(graph_, scheme(), rank);
    ASSERT_EQ(model.linears.size(), 20u);
    export_nunchaku(path_, small_flux_source(model, graph_), names());
    const CompressedModel read = read_nunchaku(path_, graph_);
    ASSERT_EQ(read.linears.size(), model.linears.size());
    for (const auto& [name, linear] : model.linears) {
      SCOPED_TRACE(name);
      const CompressedLinear& got = read.linears.at(name);
      expect_kept(got, linear, stored_tensor_scale(model, name));
      if (!linear.smooth.defined()) {
        EXPECT_FALSE(got.smooth.defined());
        expect_close(got.bias, linear.bias, 1.0 / 256);  // 1 is added before the rounding
        continue;
      }
      expect_identical(got.smooth, linear.smooth);
      const bool gelu = linear.low_bit()->segments.back().producer == Producer::kGelu;
      if (gelu && scheme().activations->shift_after_gelu)
        expect_close(got.bias, linear.bias, 1.0 / 16);  // takes a large response of the shift off
      else
        expect_identical(got.bias, linear.bias);
      ASSERT_EQ(got.low_rank() != nullptr, rank > 0);
      if (rank == 0) continue;
      expect_identical(got.low_rank()->up, linear.low_rank()->up);
      const Tensor quotient = (linear.low_rank()->down.to(at::kDouble) / linear.smooth.to(at::kDouble));
      expect_identical(got.low_rank()->down, bf16(quotient) * linear.smooth);
    }
  }
}

TEST_P(ExportNunchaku, NamesAndShapesAreThoseOfTheLoaders) {
  const CompressedModel model = random_flux_model(graph_, scheme(), 5);
  export_nunchaku(path_, small_flux_source(model, graph_), names());
  const SafetensorsFile file(path_);
  const bool old = names() == NunchakuNames::kOld, fp4 = scheme().name == "nvfp4";
  const std::string single = "single_transformer_blocks.0.",
                    qkv = single + (old ? "qkv_proj" : "attn.to_qkv");
  const auto shape = [&](const std::string& name) {
    const auto found = file.entries().find(name);
    EXPECT_NE(found, file.entries().end()) << name;
    return found == file.entries().end() ? std::vector<int64_t>{} : found->second.shape;
  };
  using Sizes = std::vector<int64_t>;
  EXPECT_EQ(shape(qkv + ".qweight"), (Sizes{256, 64}));  // 192 x 64, padded
  EXPECT_EQ(shape(qkv + ".wscales"), (Sizes{fp4 ? 8 : 2, 256}));
  EXPECT_EQ(shape(qkv + (old ? ".lora_down" : ".proj_down")), (Sizes{128, 16}));
  EXPECT_EQ(shape(qkv + (old ? ".lora_up" : ".proj_up")), (Sizes{256, 16}));
  EXPECT_EQ(shape(qkv + (old ? ".smooth" : ".smooth_factor")), (Sizes{128}));
  EXPECT_EQ(shape(qkv + (old ? ".smooth_orig" : ".smooth_factor_orig")), (Sizes{128}));
  EXPECT_EQ(shape(single + (old ? "out_proj.bias" : "attn.to_out.bias")), (Sizes{128}));
  EXPECT_EQ(shape(single + "mlp_fc2.qweight"), (Sizes{128, 128}));
  EXPECT_EQ(shape(single + (old ? "norm_q.weight" : "attn.norm_q.weight")), (Sizes{32}));
  EXPECT_EQ(shape(single + "norm.linear.qweight"), (Sizes{48, 32}));
  EXPECT_EQ(shape("proj_out.weight"), (Sizes{4, 64}));
  EXPECT_EQ(has_tensor(file, qkv + ".wtscale"), fp4);
  EXPECT_EQ(exported_format(file),
            old ? "Nunchaku FLUX, single file with the older names" : "Nunchaku, current names");
  EXPECT_THAT(file.metadata().at("quantization_config"),
              testing::HasSubstr(fp4 ? "fp4_e2m1_all" : "\"dtype\":\"int4\""));
  EXPECT_THAT(file.metadata().at("config"), testing::HasSubstr("\"attention_head_dim\":32"));
}

TEST_P(ExportNunchaku, PaddingIsZeroWithScalesOfOne) {
  const CompressedModel model = random_flux_model(graph_, scheme(), 5);
  export_nunchaku(path_, small_flux_source(model, graph_), names());
  const SafetensorsFile file(path_);
  const std::string out = names() == NunchakuNames::kOld ? "out_proj" : "attn.to_out";
  const std::string prefix = "single_transformer_blocks.0." + out;  // 64 x 64 in 128 x 128
  const Tensor codes = unpack_nunchaku_codes(file.tensor(prefix + ".qweight"));
  EXPECT_FALSE(codes.slice(0, 64).any().item<bool>());
  EXPECT_FALSE(codes.slice(1, 64).any().item<bool>());
  EXPECT_TRUE(codes.any().item<bool>());
  const Tensor scales = scheme().name == "int4"
                            ? unpack_nunchaku_rows(file.tensor(prefix + ".wscales")).to(at::kFloat)
                            : e4m3_values(unpack_nunchaku_micro_scales(file.tensor(prefix + ".wscales")), "");
  EXPECT_TRUE(scales.slice(0, 64).eq(1).all().item<bool>());
  EXPECT_FALSE(file.tensor(prefix + ".bias").any().item<bool>());  // the other part of proj_out has it
}

INSTANTIATE_TEST_SUITE_P(All, ExportNunchaku,
                         ::testing::Combine(::testing::Values("int4", "nvfp4"),
                                            ::testing::Values(NunchakuNames::kCurrent, NunchakuNames::kOld)));

TEST(ExportNunchakuAdaLn, RowsAreInterleavedAndOneIsAddedToTheScales) {
  const Graph graph = small_flux();
  const CompressedModel model = random_flux_model(graph, scheme_named("int4"), 16);
  const TempDir dir;
  export_nunchaku(dir.file("f.safetensors"), small_flux_source(model, graph), NunchakuNames::kOld);
  const SafetensorsFile file(dir.file("f.safetensors"));
  for (const auto& [name, chunks] : {std::pair<std::string, int64_t>{"transformer_blocks.0.norm1.linear", 6},
                                     {"single_transformer_blocks.0.norm.linear", 3}}) {
    const CompressedLinear& linear = model.linears.at(name);
    const Tensor codes = unpack_awq_codes(file.tensor(name + ".qweight"));
    const Tensor bias = file.tensor(name + ".bias").to(at::kFloat);
    const Tensor zeros = file.tensor(name + ".wzeros").to(at::kFloat);
    const Tensor scales = file.tensor(name + ".wscales").to(at::kFloat);
    const Tensor weight = dequantize(linear.low_bit()->weight);
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      for (int64_t i = 0; i < 64; ++i) {
        const int64_t row = i * chunks + chunk, from = chunk * 64 + i;
        const bool scale = chunk == 1 || chunk == chunks - 2;
        ASSERT_EQ(bias[row].item<float>(),
                  bf16_round(linear.bias[from].item<float>() + (scale ? 1.0f : 0.0f)));
        // One group of 64 columns: value = code * scale + zero, exactly.
        expect_identical(codes[row].to(at::kFloat) * scales[0][row] + zeros[0][row], weight[from]);
      }
  }
}

TEST(ExportNunchakuFused, FactorsOfTheirOwnBecomeOneBlockDiagonalFactor) {
  const Graph graph = small_flux();
  CompressedModel model = random_flux_model(graph, scheme_named("int4"), 8);
  const std::string prefix = "transformer_blocks.0.attn.";
  auto& own = std::get<LowRankBranch>(model.linears.at(prefix + "to_k").branches[1]);
  own.down = testing::random_bf16(own.down.sizes(), "own");
  model.linears.at(prefix + "to_v").branches.pop_back();
  const TempDir dir;
  export_nunchaku(dir.file("f.safetensors"), small_flux_source(model, graph), NunchakuNames::kCurrent);
  const CompressedModel read = read_nunchaku(dir.file("f.safetensors"), graph);
  for (const char* name : {"to_q", "to_k"}) {
    const CompressedLinear& linear = model.linears.at(prefix + name);
    const LowRankBranch &got = *read.linears.at(prefix + name).low_rank(), &want = *linear.low_rank();
    const Tensor down = bf16(want.down.to(at::kDouble) / linear.smooth.to(at::kDouble)) * linear.smooth;
    expect_close(at::mm(got.up, got.down), at::mm(want.up, down), 1e-6);
  }
  EXPECT_EQ(read.linears.at(prefix + "to_v").low_rank(), nullptr);
}

TEST(ExportNunchakuRefusals, NameTheLinear) {
  const Graph graph = small_flux();
  const TempDir dir;
  const std::string path = dir.file("f.safetensors"), fc2 = "transformer_blocks.0.ff.net.2";
  const auto refused = [&](const CompressedModel& model, const std::vector<std::string>& parts) {
    return throws_error([&] { export_nunchaku(path, small_flux_source(model, graph), NunchakuNames::kOld); },
                        Errc::kConfig, parts);
  };
  EXPECT_TRUE(refused(random_flux_model(graph, scheme_named("mxfp4"), 4), {"to_q", "neither W4A4 int4"}));
  EXPECT_TRUE(refused(random_flux_model(graph, scheme_named("w4a16-int4-g64"), 4), {"to_q", "int4"}));
  const CompressedModel good = random_flux_model(graph, scheme_named("int4"), 4);
  CompressedModel model = good;
  model.linears.erase(fc2);
  EXPECT_TRUE(refused(model, {fc2, "is in 16 bit"}));
  model = good;
  model.linears["proj_out"] = good.linears.at(fc2);
  EXPECT_TRUE(refused(model, {"linear proj_out is compressed"}));
  model = good;
  std::get<LowBitBranch>(model.linears.at(fc2).branches[0]).activations->shift_after_gelu = false;
  EXPECT_TRUE(refused(model, {fc2, "without the shift"}));
  model = good;
  const std::string other = "single_transformer_blocks.0.proj_out";
  model.linears[other] = random_flux_model(graph, scheme_named("nvfp4"), 4).linears.at(other);
  EXPECT_TRUE(refused(model, {other, "one precision"}));
  model = good;
  const std::string adaln = "single_transformer_blocks.0.norm.linear";
  model.linears.at(adaln).smooth = at::ones({64});
  EXPECT_TRUE(refused(model, {adaln, "smoothing vector"}));
  model = good;
  model.linears.at("transformer_blocks.0.attn.to_k").smooth = at::ones({64});
  EXPECT_TRUE(refused(model, {"to_k", "one smoothing vector"}));
  EXPECT_FALSE(std::filesystem::exists(path));
  export_nunchaku(path, small_flux_source(good, graph), NunchakuNames::kOld);
  EXPECT_TRUE(throws_error([&] { read_nunchaku(path, small_flux(4)); }, Errc::kInput, {"must be"}));
}

}  // namespace
}  // namespace svdlab
