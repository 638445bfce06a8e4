#include "core/io/export_modelopt.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/io/exported_tensor.h"
#include "core/io/stored_tensor.h"

namespace svdlab {
namespace {

using Json = nlohmann::json;

const Scheme& nvfp4() { return scheme_named("nvfp4"); }

void check(const CompressedLinear& linear) {
  const LowBitBranch* branch = linear.low_bit();
  SVDLAB_REQUIRE(branch && branch->weight.scheme == *nvfp4().weights && branch->activations &&
                     branch->activations->tensor == nvfp4().activations->tensor &&
                     !branch->activations->shift_after_gelu,
                 Errc::kConfig, "linear ", linear.name,
                 " is not W4A4 nvfp4, which is all that NVFP4_SVD holds: give it scheme nvfp4 or bf16");
  SVDLAB_REQUIRE(linear.then.empty(), Errc::kConfig, "linear ", linear.name,
                 ": its transform does more than divide the input, which NVFP4_SVD cannot say");
  SVDLAB_REQUIRE(linear.branches.size() == (linear.low_rank() ? 2u : 1u), Errc::kConfig, "linear ",
                 linear.name, " has ", linear.branches.size(),
                 " branches; NVFP4_SVD holds one low-bit and one low-rank branch");
}

void append(const CompressedLinear& linear, int64_t rank, std::vector<StWrite>& tensors) {
  const QuantizedTensor& q = linear.low_bit()->weight;
  const LowRankBranch* low = linear.low_rank();
  const int64_t rows = q.rows(), columns = q.cols();
  const auto name = [&](const char* key) { return linear.name + "." + key; };
  const auto scalar = [&](const char* key, float value) {
    tensors.push_back({.name = name(key), .tensor = at::full({}, value)});
  };
  tensors.push_back(store_codes(name("weight"), q.codes, q.scheme.format));
  tensors.push_back(e4m3_tensor(name("weight_scale"), e4m3_bits(q.scales)));
  scalar("weight_scale_2", q.tensor_scale);
  scalar("input_scale", 1);
  const Tensor smooth = linear.smooth.defined() ? linear.smooth : at::ones({columns});
  tensors.push_back({.name = name("pre_quant_scale"), .tensor = smooth.reciprocal()});
  const Tensor down = low ? low->down : at::zeros({0, columns});
  const Tensor up = low ? low->up : at::zeros({rows, 0});
  tensors.push_back(bf16_tensor(name("svdquant_lora_a"), enlarged(down, rank, columns, 0)));
  tensors.push_back(bf16_tensor(name("svdquant_lora_b"), enlarged(up, rows, rank, 0)));
  if (linear.bias.defined()) tensors.push_back(bf16_tensor(name("bias"), linear.bias));
}

std::string quantization_config(const ExportSource& source, int64_t rank) {
  const Json numbers = {{"dynamic", false}, {"num_bits", 4}, {"type", "float"}, {"group_size", 16}};
  Json ignored = Json::array();
  for (const LinearSpec& linear : source.graph->linears)
    if (source.names.count(linear.name) == 0) ignored.push_back(linear.name);
  return Json{{"quant_method", "modelopt"},
              {"quant_algo", "NVFP4_SVD"},
              {"producer", {{"name", "svdlab"}}},
              {"ignore", ignored},
              {"config_groups",
               {{"group_0",
                 {{"input_activations", numbers},
                  {"weights", numbers},
                  {"has_zero_point", false},
                  {"pre_quant_scale", true},
                  {"lora_rank", rank},
                  {"targets", Json::array({"Linear"})}}}}}}
      .dump();
}

// Smoothing vectors are bf16, and the reciprocal in fp32 is near enough to tell which it was.
Tensor smooth_of(const Tensor& pre_quant_scale) {
  return pre_quant_scale.reciprocal().to(at::kBFloat16).to(at::kFloat);
}

}  // namespace

void export_modelopt(const std::string& folder, const ExportSource& source) {
  int64_t rank = 0;
  for (const std::string& name : source.names) {
    const CompressedLinear linear = source.load(name);
    check(linear);
    if (linear.low_rank()) rank = std::max(rank, linear.low_rank()->rank());
  }
  SVDLAB_REQUIRE(rank > 0, Errc::kConfig,
                 "no linear has a low-rank branch, which NVFP4_SVD is about: quantize with method svdquant");
  std::vector<StWrite> tensors;
  for (const std::string& name : source.names) append(source.load(name), rank, tensors);
  append_16bit(
      source, source.names, [](const std::string& name) { return name; }, tensors);
  write_diffusers_folder(folder, source, quantization_config(source, rank), tensors);
}

CompressedLinear read_modelopt_linear(const SafetensorsFile& file, const std::string& name, int64_t rows,
                                      int64_t columns) {
  const auto key = [&](const char* tensor) { return name + "." + tensor; };
  LowBitBranch branch{.weight = {.scheme = *nvfp4().weights},
                      .activations = nvfp4().activations,
                      .segments = {{0, columns, Producer::kInput}}};
  QuantizedTensor& q = branch.weight;
  q.codes = load_codes(file, key("weight"), rows, columns, q.scheme.format);
  q.scales = e4m3_values(checked_tensor(file, key("weight_scale"), StDtype::kF8E4M3, {rows, columns / 16}),
                         file.path() + ": " + key("weight_scale"));
  q.tensor_scale = checked_tensor(file, key("weight_scale_2"), StDtype::kF32, {}).item<float>();
  CompressedLinear out{.name = name};
  if (has_tensor(file, key("pre_quant_scale")))
    out.smooth = smooth_of(checked_tensor(file, key("pre_quant_scale"), StDtype::kF32, {columns}));
  if (has_tensor(file, key("bias")))
    out.bias = checked_tensor(file, key("bias"), StDtype::kBf16, {rows}).to(at::kFloat);
  out.branches.emplace_back(std::move(branch));
  const auto a = file.entries().find(key("svdquant_lora_a"));
  if (a == file.entries().end()) return out;
  const int64_t rank = a->second.shape.empty() ? 0 : a->second.shape[0];
  Tensor down = checked_tensor(file, a->first, StDtype::kBf16, {rank, columns}).to(at::kFloat);
  Tensor up = checked_tensor(file, key("svdquant_lora_b"), StDtype::kBf16, {rows, rank}).to(at::kFloat);
  trim_rank(down, up);
  if (down.size(0) > 0) out.branches.emplace_back(LowRankBranch{down, up});
  return out;
}

CompressedModel read_modelopt(const std::string& folder, const Graph& graph) {
  const SafetensorsFile file(folder + "/diffusion_pytorch_model.safetensors");
  CompressedModel out;
  for (const LinearSpec& linear : graph.linears) {
    if (!has_tensor(file, linear.name + ".weight_scale_2")) continue;
    CompressedLinear& read = out.linears[linear.name] =
        read_modelopt_linear(file, linear.name, linear.out_features(), linear.in_features());
    std::get<LowBitBranch>(read.branches[0]).segments = linear.segments;
  }
  return out;
}

}  // namespace svdlab
