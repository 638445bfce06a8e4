#include "core/io/export_nunchaku_lite.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/io/exported_tensor.h"
#include "core/io/nunchaku_layout.h"
#include "core/io/nunchaku_tensors.h"

namespace svdlab {
namespace {

using Json = nlohmann::json;

bool is_w4a4(const CompressedLinear& linear) {
  return linear.low_bit() != nullptr && linear.low_bit()->activations.has_value();
}

NunchakuW4A4 module_of(const CompressedLinear& linear) {
  const LowBitBranch& branch = *linear.low_bit();
  const bool gelu = std::any_of(branch.segments.begin(), branch.segments.end(),
                                [](const Segment& s) { return s.producer == Producer::kGelu; });
  SVDLAB_REQUIRE(!gelu || !branch.activations->shift_after_gelu, Errc::kConfig, "linear ", linear.name,
                 " shifts what comes from GELU, and Nunchaku Lite cannot: give it a scheme with activations: "
                 "{shift_after_gelu: false}, or nvfp4");
  const int64_t rows = linear.out_features(), columns = linear.in_features();
  SVDLAB_REQUIRE(rows % kNunchakuRows == 0 && columns % kNunchakuColumns == 0, Errc::kConfig, "linear ",
                 linear.name, " is ", rows, " x ", columns, "; Nunchaku Lite needs multiples of ",
                 kNunchakuRows, " x ", kNunchakuColumns, ": give it scheme bf16");
  return nunchaku_w4a4({linear}, {0, columns, Producer::kInput});
}

struct Targets {
  NunchakuPrecision precision = NunchakuPrecision::kInt4;
  int64_t rank = kNunchakuRank;
  std::vector<std::string> w4a4, w4a16;
};

// What the folder will be; every linear is looked at before the first is packed.
Targets survey(const ExportSource& source) {
  Targets out;
  for (const std::string& name : source.names) {
    const CompressedLinear linear = source.load(name);
    if (!is_w4a4(linear)) {
      out.w4a16.push_back(name);
      continue;
    }
    const NunchakuW4A4 module = module_of(linear);
    if (out.w4a4.empty()) out.precision = module.precision;
    SVDLAB_REQUIRE(module.precision == out.precision, Errc::kConfig, "linear ", name, " is ",
                   to_string(module.precision), " and ", out.w4a4.front(), " ", to_string(out.precision),
                   "; Nunchaku Lite has one precision");
    out.w4a4.push_back(name);
    out.rank = std::max(out.rank, round_up(module.down.size(0), kNunchakuRank));
  }
  return out;
}

std::string quantization_config(const Targets& targets) {
  Json config = {{"quant_method", "nunchaku_lite"}, {"compute_dtype", "bfloat16"}};
  if (!targets.w4a4.empty())
    config["svdq_w4a4"] = {{"precision", to_string(targets.precision)},
                           {"group_size", targets.precision == NunchakuPrecision::kInt4 ? 64 : 16},
                           {"rank", targets.rank},
                           {"targets", targets.w4a4}};
  if (!targets.w4a16.empty())
    config["awq_w4a16"] = {{"precision", "int4"}, {"group_size", 64}, {"targets", targets.w4a16}};
  return config.dump();
}

CompressedLinear read_linear(const SafetensorsFile& file, const LinearSpec& spec) {
  const int64_t rows = spec.out_features(), columns = spec.in_features();
  if (file.entries().at(spec.name + ".qweight").dtype == StDtype::kI32)
    return read_awq(file, spec.name, spec.name, rows, columns, 0);
  const NunchakuW4A4 module = read_w4a4(file, spec.name, rows, columns, kNunchakuLiteKeys);
  CompressedLinear linear = linear_of(spec.name, module, 0, rows, Producer::kInput);
  auto& branch = std::get<LowBitBranch>(linear.branches[0]);
  branch.segments = spec.segments;
  branch.activations->shift_after_gelu = false;
  return linear;
}

}  // namespace

void export_nunchaku_lite(const std::string& folder, const ExportSource& source) {
  const Targets targets = survey(source);
  std::vector<StWrite> tensors;
  for (const std::string& name : targets.w4a4)
    append_w4a4(name, module_of(source.load(name)), targets.rank, kNunchakuLiteKeys, tensors);
  for (const std::string& name : targets.w4a16) append_awq(name, source.load(name), 0, tensors);
  append_16bit(
      source, source.names, [](const std::string& name) { return name; }, tensors);
  write_diffusers_folder(folder, source, quantization_config(targets), tensors);
}

CompressedModel read_nunchaku_lite(const std::string& folder, const Graph& graph) {
  const SafetensorsFile file(folder + "/diffusion_pytorch_model.safetensors");
  CompressedModel out;
  for (const LinearSpec& spec : graph.linears)
    if (has_tensor(file, spec.name + ".qweight")) out.linears[spec.name] = read_linear(file, spec);
  return out;
}

}  // namespace svdlab
