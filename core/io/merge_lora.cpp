#include "core/io/merge_lora.h"

#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "core/io/lora_targets.h"
#include "core/io/new_folder.h"
#include "core/io/safetensors.h"
#include "core/io/safetensors_torch.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWeight = ".weight";

// The linear whose weight the tensor is, or "".
std::string linear_of(const std::string& tensor, const StEntry& entry) {
  const size_t end = std::string(kWeight).size();
  const bool weight = tensor.size() > end && tensor.compare(tensor.size() - end, end, kWeight) == 0;
  return weight && entry.shape.size() == 2 ? tensor.substr(0, tensor.size() - end) : "";
}

std::vector<std::string> weight_files(const std::string& folder, std::vector<std::string>& others) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file()) (name.ends_with(".safetensors") ? out : others).push_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

StWrite merged_tensor(const SafetensorsFile& file, const std::string& name, const LoraDeltas& deltas) {
  const StEntry& entry = file.entries().at(name);
  StWrite out{.name = name, .tensor = file.tensor(name)};
  const auto found = deltas.find(linear_of(name, entry));
  if (found == deltas.end()) {
    if (!torch_dtype(entry.dtype))
      out.raw_dtype = &entry.dtype, out.raw_shape = {entry.shape.begin(), entry.shape.end()};
    return out;
  }
  SVDLAB_REQUIRE(at::isFloatingType(out.tensor.scalar_type()), Errc::kInput, file.path(), ": tensor ",
                 printable(name), " is ", to_string(entry.dtype),
                 "; an adapter is merged into 16- or 32-bit weights");
  out.tensor = merged_weight(out.tensor, found->second).to(out.tensor.scalar_type());
  return out;
}

// Returns the weights that changed; the file has none otherwise and is linked.
std::vector<std::string> merge_file(const std::string& from, const std::string& to,
                                    const LoraDeltas& deltas) {
  const SafetensorsFile file(from);
  std::vector<std::string> changed;
  for (const auto& [name, entry] : file.entries())
    if (deltas.count(linear_of(name, entry))) changed.push_back(name);
  if (changed.empty()) {
    link_or_copy(from, to);
    return changed;
  }
  std::vector<StWrite> tensors;
  for (const auto& [name, entry] : file.entries()) tensors.push_back(merged_tensor(file, name, deltas));
  save_safetensors(to, tensors, file.metadata());
  return changed;
}

}  // namespace

MergedLora merge_lora(const std::string& model, const LoraFile& lora, double strength, bool partial,
                      const std::string& out) {
  SVDLAB_REQUIRE(fs::is_directory(model), Errc::kInput, "model folder \"", model, "\" does not exist");
  std::vector<std::string> others;
  const std::vector<std::string> files = weight_files(model, others);
  std::vector<LinearShape> linears;
  for (const std::string& name : files) {
    const SafetensorsFile file(model + "/" + name);
    for (const auto& [tensor, entry] : file.entries())
      if (const std::string linear = linear_of(tensor, entry); !linear.empty())
        linears.push_back({linear, entry.shape[0], entry.shape[1]});
  }
  const MatchedLora matched = match_lora(lora, linears, strength);
  SVDLAB_REQUIRE(partial || matched.unmatched.empty(), Errc::kConfig, lora.path, ": ",
                 matched.unmatched.size(), " of ", lora.modules.size(), " modules are no linears of ", model,
                 ", the first is ", printable(matched.unmatched.front()), ": leave them out with --partial");
  SVDLAB_REQUIRE(!matched.deltas.empty(), Errc::kInput, lora.path, ": none of its ", lora.modules.size(),
                 " modules is a linear of ", model);
  MergedLora result{.left_out = matched.unmatched};
  const NewFolder folder(out);
  for (const std::string& name : others) link_or_copy(model + "/" + name, folder.file(name));
  for (const std::string& name : files) {
    const auto changed = merge_file(model + "/" + name, folder.file(name), matched.deltas);
    result.weights.insert(result.weights.end(), changed.begin(), changed.end());
  }
  folder.commit();
  return result;
}

}  // namespace svdlab
