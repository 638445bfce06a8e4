#include "core/io/export_source.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/io/exported_tensor.h"
#include "core/io/files.h"
#include "core/io/new_folder.h"

namespace svdlab {
namespace {

// "a.b.weight" and "a.b.bias" belong to "a.b".
std::string module_of(const std::string& tensor) { return tensor.substr(0, tensor.rfind('.')); }

bool any_contains(const SafetensorsFile& file, const std::string& part) {
  return std::any_of(file.entries().begin(), file.entries().end(),
                     [&](const auto& entry) { return entry.first.find(part) != std::string::npos; });
}

}  // namespace

ExportSource export_source(const CompressedModel& model, const Graph& graph, const std::string& class_name,
                           const std::string& config_json) {
  ExportSource source{.graph = &graph, .class_name = class_name, .config_json = config_json};
  for (const auto& [name, linear] : model.linears) source.names.insert(name);
  source.load = [&model](const std::string& name) { return model.linears.at(name); };
  return source;
}

void append_16bit(const ExportSource& source, const std::set<std::string>& left_out,
                  const std::function<std::string(const std::string&)>& rename,
                  std::vector<StWrite>& tensors) {
  Graph graph = *source.graph;
  graph.for_each_tensor([&](const std::string& name, Tensor& tensor) {
    if (left_out.count(module_of(name)) == 0) tensors.push_back(bf16_tensor(rename(name), tensor));
  });
}

void write_diffusers_folder(const std::string& folder, const ExportSource& source,
                            const std::string& quantization_config, const std::vector<StWrite>& tensors) {
  const NewFolder out(folder);
  save_safetensors(out.file("diffusion_pytorch_model.safetensors"), tensors, {{"format", "pt"}});
  nlohmann::json config = nlohmann::json::parse(source.config_json);
  config["quantization_config"] = nlohmann::json::parse(quantization_config);
  write_file(out.file("config.json"), config.dump(2) + "\n");
  out.commit();
}

std::string exported_format(const SafetensorsFile& file) {
  if (any_contains(file, ".weight_scale_2")) return "ModelOpt NVFP4_SVD";
  if (!any_contains(file, ".qweight")) return "";
  if (any_contains(file, ".lora_down")) return "Nunchaku FLUX, single file with the older names";
  if (any_contains(file, ".smooth_factor_orig")) return "Nunchaku, current names";
  return any_contains(file, ".proj_down") ? "diffusers Nunchaku Lite" : "";
}

}  // namespace svdlab
