#include "core/io/export_modelopt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/base/error.h"
#include "core/io/exported_tensor.h"
#include "core/io/files.h"
#include "tests/core/io/exported_flux.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::random_flux_model;
using testing::small_flux;
using testing::small_flux_source;
using testing::TempDir;
using testing::throws_error;

/// All linears in blocks but adaLN, which NVFP4_SVD has no scheme for.
CompressedModel nvfp4_model(const Graph& graph, int64_t rank) {
  CompressedModel model = random_flux_model(graph, scheme_named("nvfp4"), rank);
  for (const LinearSpec& linear : graph.linears)
    if (linear.role == Role::kAdaLn) model.linears.erase(linear.name);
  return model;
}

TEST(ExportModelOpt, HoldsTheModelBitForBit) {
  const Graph graph = small_flux();
  CompressedModel model = nvfp4_model(graph, 5);
  model.linears.at("single_transformer_blocks.0.proj_mlp").branches.pop_back();
  const TempDir dir;
  const std::string out = dir.file("modelopt");
  export_modelopt(out, small_flux_source(model, graph));
  const CompressedModel read = read_modelopt(out, graph);
  ASSERT_EQ(read.linears.size(), 17u);
  for (const auto& [name, linear] : model.linears) {
    SCOPED_TRACE(name);
    testing::expect_identical_linears(read.linears.at(name), linear);
  }
  const SafetensorsFile file(out + "/diffusion_pytorch_model.safetensors");
  EXPECT_EQ(exported_format(file), "ModelOpt NVFP4_SVD");
  EXPECT_EQ(file.entries().at("single_transformer_blocks.0.proj_mlp.svdquant_lora_a").shape,
            (std::vector<int64_t>{5, 64}));
  const std::string config = read_file(out + "/config.json");
  for (const char* part : {"\"NVFP4_SVD\"", "\"lora_rank\": 5", "\"pre_quant_scale\": true",
                           "\"single_transformer_blocks.0.norm.linear\""})
    EXPECT_THAT(config, testing::HasSubstr(part));
}

TEST(ExportModelOpt, ReadsWhatModelOptPacked) {
  const std::string golden = SVDLAB_SOURCE_DIR "/tests/golden/modelopt_nvfp4.safetensors";
  const SafetensorsFile file(golden);
  const Tensor dequantized = file.tensor("linear.dequantized");
  const CompressedLinear linear =
      read_modelopt_linear(file, "linear", dequantized.size(0), dequantized.size(1));
  // ModelOpt rounds the product of the two scales first.
  testing::expect_close(dequantize(linear.low_bit()->weight), dequantized, 2e-7);
  EXPECT_GT(dequantized.abs().max().item<float>(), 1.0f);
}

TEST(ExportModelOpt, RefusesByName) {
  const Graph graph = small_flux();
  const TempDir dir;
  const auto refused = [&](const CompressedModel& model, const std::vector<std::string>& parts) {
    return throws_error([&] { export_modelopt(dir.file("out"), small_flux_source(model, graph)); },
                        Errc::kConfig, parts);
  };
  EXPECT_TRUE(refused(random_flux_model(graph, scheme_named("nvfp4"), 4), {"norm.linear", "nvfp4 or bf16"}));
  EXPECT_TRUE(refused(nvfp4_model(graph, 0), {"no linear has a low-rank branch"}));
  EXPECT_FALSE(std::filesystem::exists(dir.file("out")));
}

}  // namespace
}  // namespace svdlab
