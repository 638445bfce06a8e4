#include "core/models/model.h"

#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/io/yaml.h"
#include "core/models/linear_model.h"
#include "core/models/registry.h"

namespace svdlab {

namespace fs = std::filesystem;

namespace {

Model open_model(const std::string& folder) {
  SVDLAB_REQUIRE(fs::is_directory(folder), Errc::kInput, "model folder \"", folder,
                 "\" does not exist; it must hold config.json and *.safetensors in the layout of diffusers");
  const Value config = load_yaml(folder + "/config.json");
  const Value* class_name = config.find("_class_name");
  SVDLAB_REQUIRE(class_name != nullptr, Errc::kConfig, folder,
                 "/config.json: no _class_name; known: ", architectures().entries().front().name);
  Model model{.path = folder, .class_name = class_name->as_text("_class_name"), .graph = {}};
  SVDLAB_REQUIRE(
      !is_linear_model(model.class_name), Errc::kConfig, folder, ": a ", model.class_name,
      " can be quantized (svdlab quantize), not run here: its linears are known, its graph is not");
  const ArchitectureFactory build = architectures().at(model.class_name);
  Checkpoint checkpoint(load_safetensors(folder));
  model.graph = build(
      config, [&](const std::string& name, at::IntArrayRef shape) { return checkpoint.take(name, shape); });
  checkpoint.require_all_taken(folder);
  return model;
}

}  // namespace

Model load_model(const std::string& folder) {
  try {
    return open_model(folder);
  } catch (const Error& e) {
    // Settings and files say where they are; a tensor that does not fit does not know.
    const std::string message = e.what();
    throw Error(e.code(), message.find(folder) == std::string::npos ? folder + ": " + message : message);
  }
}

std::string model_hash(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name == "config.json" || name == "sampling.yaml" || entry.path().extension() == ".safetensors")
      files.push_back(name);
  }
  std::sort(files.begin(), files.end());
  std::string listing;
  for (const std::string& name : files) listing += name + " " + sha256_file(folder + "/" + name) + "\n";
  return sha256(listing);
}

}  // namespace svdlab
