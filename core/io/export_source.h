#pragma once
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/io/safetensors.h"
#include "core/ir/compressed.h"
#include "core/ir/graph.h"

namespace svdlab {

/// A compressed model as exporters see it.
struct ExportSource {
  const Graph* graph = nullptr;  ///< with the checkpoint's tensors: what is not compressed is written in bf16
  std::string class_name;        ///< config.json `_class_name`
  std::string config_json;       ///< text of config.json
  std::set<std::string> names;   ///< linears that are compressed
  std::function<CompressedLinear(const std::string&)> load;
};

/// From memory; `model` and `graph` must outlive it.
ExportSource export_source(const CompressedModel& model, const Graph& graph, const std::string& class_name,
                           const std::string& config_json);

/// Appends every tensor of the graph that belongs to no linear of `left_out`, in bf16, under `rename` of its
/// name.
void append_16bit(const ExportSource& source, const std::set<std::string>& left_out,
                  const std::function<std::string(const std::string&)>& rename,
                  std::vector<StWrite>& tensors);

/// Writes a model folder of diffusers: config.json with `quantization_config` (JSON text) added, and
/// diffusion_pytorch_model.safetensors. The folder appears when it is complete. Throws kConfig when there is
/// something under its name.
void write_diffusers_folder(const std::string& folder, const ExportSource& source,
                            const std::string& quantization_config, const std::vector<StWrite>& tensors);

/// Which program's compressed format the file has, by the names of its tensors; "" for none of those known.
std::string exported_format(const SafetensorsFile& file);

}  // namespace svdlab
