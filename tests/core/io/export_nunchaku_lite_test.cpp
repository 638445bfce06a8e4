#include "core/io/export_nunchaku_lite.h"

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

Scheme unshifted(const std::string& name) {
  Scheme scheme = scheme_named(name);
  scheme.activations->shift_after_gelu = false;
  return scheme;
}

class ExportNunchakuLite : public ::testing::TestWithParam<const char*> {};

TEST_P(ExportNunchakuLite, HoldsTheModel) {
  const Graph graph = small_flux(4);  // 128: whole tiles
  const CompressedModel model = random_flux_model(graph, unshifted(GetParam()), 5);
  const TempDir dir;
  const std::string out = dir.file("lite");
  export_nunchaku_lite(out, small_flux_source(model, graph));
  const CompressedModel read = read_nunchaku_lite(out, graph);
  ASSERT_EQ(read.linears.size(), model.linears.size());
  for (const auto& [name, linear] : model.linears) {
    SCOPED_TRACE(name);
    const CompressedLinear& got = read.linears.at(name);
    expect_identical(dequantize(got.low_bit()->weight), dequantize(linear.low_bit()->weight));
    expect_identical(got.low_bit()->weight.codes, linear.low_bit()->weight.codes);
    EXPECT_EQ(got.low_bit()->activations, linear.low_bit()->activations);
    expect_identical(got.bias, linear.bias);
    if (!linear.smooth.defined()) continue;
    expect_identical(got.smooth, linear.smooth);
    expect_identical(got.low_rank()->up, linear.low_rank()->up);
    const Tensor quotient = linear.low_rank()->down.to(at::kDouble) / linear.smooth.to(at::kDouble);
    expect_identical(got.low_rank()->down, quotient.to(at::kBFloat16).to(at::kFloat) * linear.smooth);
  }
  const std::string config = read_file(out + "/config.json");
  for (const char* part : {"\"quant_method\": \"nunchaku_lite\"", "\"rank\": 16", GetParam(), "awq_w4a16",
                           "single_transformer_blocks.0.proj_out", "\"_class_name\""})
    EXPECT_THAT(config, testing::HasSubstr(part));
  const SafetensorsFile file(out + "/diffusion_pytorch_model.safetensors");
  EXPECT_EQ(exported_format(file), "diffusers Nunchaku Lite");
}

INSTANTIATE_TEST_SUITE_P(All, ExportNunchakuLite, ::testing::Values("int4", "nvfp4"));

TEST(ExportNunchakuLiteRefusals, NameTheLinear) {
  const TempDir dir;
  const auto refused = [&](const Graph& graph, const CompressedModel& model,
                           const std::vector<std::string>& parts) {
    return throws_error([&] { export_nunchaku_lite(dir.file("out"), small_flux_source(model, graph)); },
                        Errc::kConfig, parts);
  };
  const Graph graph = small_flux(4), odd = small_flux(2);
  EXPECT_TRUE(refused(graph, random_flux_model(graph, scheme_named("int4"), 4), {"proj_out", "shifts"}));
  EXPECT_TRUE(refused(odd, random_flux_model(odd, unshifted("int4"), 4), {" x 64", "multiples of 128"}));
  EXPECT_TRUE(refused(graph, random_flux_model(graph, scheme_named("mxfp4"), 4), {"neither"}));
  EXPECT_FALSE(std::filesystem::exists(dir.file("out")));
  make_directories(dir.file("out"));
  EXPECT_TRUE(refused(graph, random_flux_model(graph, unshifted("int4"), 4), {"is there already"}));
}

}  // namespace
}  // namespace svdlab
