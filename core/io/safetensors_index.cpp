// A model that is spread over several .safetensors files, and the index that says which tensor lies in which.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndexSuffix = ".safetensors.index.json";
constexpr uint64_t kMaxIndex = 100'000'000;

nlohmann::json parse_index(const std::string& path) {
  SVDLAB_REQUIRE(fs::file_size(path) <= kMaxIndex, Errc::kInput, path, ": an index is at most ", kMaxIndex,
                 " bytes");
  std::vector<std::set<std::string>> keys;  // of the open objects
  const auto check = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    using Event = nlohmann::json::parse_event_t;
    SVDLAB_REQUIRE(depth <= 8, Errc::kInput, path, ": nested deeper than an index can be");
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key)
      SVDLAB_REQUIRE(keys.back().insert(value.get<std::string>()).second, Errc::kInput, path, ": name ",
                     printable(value.get<std::string>()), " occurs twice");
    return true;
  };
  try {
    return nlohmann::json::parse(read_file(path), check);
  } catch (const nlohmann::json::parse_error& e) {
    throw Error(Errc::kInput, concat(path, ": not valid JSON at byte ", e.byte));
  }
}

/// shard file name -> the tensors the index places there
std::map<std::string, std::set<std::string>> read_weight_map(const std::string& path) {
  const nlohmann::json index = parse_index(path);
  SVDLAB_REQUIRE(index.is_object() && index.contains("weight_map") && index["weight_map"].is_object(),
                 Errc::kInput, path, ": an index needs a map \"weight_map\" from tensor to file");
  std::map<std::string, std::set<std::string>> shards;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    SVDLAB_REQUIRE(file.is_string(), Errc::kInput, path, ": tensor ", printable(tensor),
                   " is not mapped to a file name");
    const auto name = file.get<std::string>();
    const bool plain =
        !name.empty() && name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
    SVDLAB_REQUIRE(plain && name.ends_with(".safetensors"), Errc::kInput, path, ": tensor ",
                   printable(tensor), " in ", printable(name),
                   ": a shard is a .safetensors file beside the index");
    shards[name].insert(tensor);
  }
  return shards;
}

std::map<std::string, Tensor> load_file(const std::string& path) {
  const SafetensorsFile file(path);
  std::map<std::string, Tensor> out;
  for (const auto& [name, entry] : file.entries()) out[name] = file.tensor(name);
  return out;
}

std::map<std::string, Tensor> load_index(const std::string& path) {
  std::map<std::string, Tensor> out;
  const auto shards = read_weight_map(path);
  for (const auto& [shard, names] : shards) {
    const std::string shard_path = (fs::path(path).parent_path() / shard).string();
    const SafetensorsFile file(shard_path);
    for (const std::string& name : names)
      SVDLAB_REQUIRE(file.entries().contains(name), Errc::kInput, path, ": tensor ", printable(name),
                     " is not in ", shard_path, ", where the index places it");
    for (const auto& [name, entry] : file.entries()) {
      if (names.contains(name)) {
        out[name] = file.tensor(name);
        continue;
      }
      for (const auto& [other, listed] : shards)
        SVDLAB_REQUIRE(!listed.contains(name), Errc::kInput, shard_path, ": tensor ", printable(name),
                       " is present twice: the index places it in ", printable(other));
      throw Error(Errc::kInput, concat(shard_path, ": tensor ", printable(name), " is not listed in ", path));
    }
  }
  return out;
}

/// The one file a folder means: an index (model.* before others), else diffusers' file of a whole model, else
/// a single .safetensors.
std::string choose_in_folder(const std::string& folder) {
  std::vector<std::string> indices, files;
  std::error_code failure;
  for (fs::directory_iterator it(folder, failure), end; !failure && it != end; it.increment(failure)) {
    const std::string name = it->path().filename().string();
    if (name.ends_with(kIndexSuffix)) indices.push_back(name);
    if (name.ends_with(".safetensors")) files.push_back(name);
  }
  SVDLAB_REQUIRE(!failure, Errc::kInput, folder, ": cannot be listed: ", failure.message());
  const std::string model = concat("model", kIndexSuffix);
  if (std::find(indices.begin(), indices.end(), model) != indices.end()) indices = {model};
  const std::string whole = "diffusion_pytorch_model.safetensors";
  if (std::find(files.begin(), files.end(), whole) != files.end()) files = {whole};
  const std::vector<std::string>& candidates = indices.empty() ? files : indices;
  SVDLAB_REQUIRE(!candidates.empty(), Errc::kInput, folder, ": no .safetensors file and no *", kIndexSuffix);
  SVDLAB_REQUIRE(candidates.size() == 1, Errc::kInput, folder, ": ", candidates.size(), " candidates (",
                 std::min(candidates[0], candidates[1]), " ...); name one of the files");
  return (fs::path(folder) / candidates[0]).string();
}

}  // namespace

std::map<std::string, Tensor> load_safetensors(const std::string& file_or_folder) {
  std::error_code ignored;
  const std::string path =
      fs::is_directory(file_or_folder, ignored) ? choose_in_folder(file_or_folder) : file_or_folder;
  SVDLAB_REQUIRE(fs::exists(path, ignored), Errc::kInput, path, ": no such file or folder");
  return path.ends_with(".json") ? load_index(path) : load_file(path);
}

}  // namespace svdlab
