#include <iomanip>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/io/safetensors_torch.h"

namespace svdlab {
namespace {

using Json = nlohmann::ordered_json;

struct Piece {
  StDtype dtype;
  std::vector<int64_t> shape;
  uint64_t bytes = 0;
};

// What the header says of one tensor; refuses what it could not say.
Piece describe(const StWrite& item) {
  const std::string what = concat("tensor ", printable(item.name));
  SVDLAB_REQUIRE(item.tensor.defined(), Errc::kInput, what, " to write is undefined");
  const uint64_t bytes = item.tensor.nbytes();
  if (item.raw_dtype == nullptr) {
    const auto dtype = dtype_of(item.tensor.scalar_type());
    SVDLAB_REQUIRE(dtype, Errc::kInput, what, ": safetensors has no dtype for ",
                   c10::toString(item.tensor.scalar_type()));
    return {*dtype, item.tensor.sizes().vec(), bytes};
  }
  SVDLAB_REQUIRE(item.tensor.scalar_type() == at::kByte, Errc::kInput, what, ": raw bytes of ",
                 to_string(*item.raw_dtype), " are given as uint8, not ",
                 c10::toString(item.tensor.scalar_type()));
  const uint64_t needed = checked_bytes(*item.raw_dtype, item.raw_shape, what);
  SVDLAB_REQUIRE(needed == bytes, Errc::kInput, what, ": raw_shape of ", to_string(*item.raw_dtype),
                 " needs ", needed, " bytes, the tensor has ", bytes);
  return {*item.raw_dtype, item.raw_shape, bytes};
}

std::string build_header(const std::vector<StWrite>& tensors,
                         const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::set<std::string> names{"__metadata__"};
  uint64_t offset = 0;
  for (const StWrite& item : tensors) {
    SVDLAB_REQUIRE(names.insert(item.name).second, Errc::kInput, "tensor ", printable(item.name),
                   " to write: the name is taken");
    const Piece piece = describe(item);
    // ordered_json searches linearly by operator[]; the name is known to be new.
    header.get_ref<Json::object_t&>().emplace_back(item.name,
                                                   Json{{"dtype", to_string(piece.dtype)},
                                                        {"shape", piece.shape},
                                                        {"data_offsets", {offset, offset + piece.bytes}}});
    offset += piece.bytes;
  }
  try {
    return header.dump();
  } catch (const Json::type_error&) {
    throw Error(Errc::kInput, "tensor names and metadata to write must be UTF-8");
  }
}

void write_index(const std::string& path, const std::map<std::string, std::string>& weight_map,
                 uint64_t total) {
  const Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", weight_map}};
  write_file(path, index.dump(2) + "\n");
}

}  // namespace

void save_safetensors(const std::string& path, const std::vector<StWrite>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::string header = build_header(tensors, metadata);
  header.append((8 - header.size() % 8) % 8, ' ');  // data begins at a multiple of 8
  std::string length;
  for (int i = 0; i < 8; ++i) length += static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i));
  AtomicFile file(path);
  file.write(length + header);
  for (const StWrite& item : tensors) {
    const Tensor data = item.tensor.cpu().contiguous();
    file.write(data.data_ptr(), data.nbytes());
  }
  file.commit();
}

void save_safetensors_sharded(const std::string& folder, const std::string& stem,
                              const std::vector<StWrite>& tensors, uint64_t max_shard_bytes) {
  std::vector<std::vector<StWrite>> shards(1);
  uint64_t in_shard = 0, total = 0;
  for (const StWrite& item : tensors) {
    const uint64_t bytes = item.tensor.nbytes();
    if (in_shard > 0 && in_shard + bytes > max_shard_bytes) {
      shards.emplace_back();
      in_shard = 0;
    }
    shards.back().push_back(item);
    in_shard += bytes;
    total += bytes;
  }
  make_directories(folder);
  std::map<std::string, std::string> weight_map;
  for (size_t i = 0; i < shards.size(); ++i) {
    std::ostringstream name;
    name << stem << std::setfill('0') << "-" << std::setw(5) << i + 1 << "-of-" << std::setw(5)
         << shards.size() << ".safetensors";
    // transformers refuses files whose metadata does not name the framework.
    save_safetensors(folder + "/" + name.str(), shards[i], {{"format", "pt"}});
    for (const StWrite& item : shards[i])
      SVDLAB_REQUIRE(weight_map.emplace(item.name, name.str()).second, Errc::kInput, "tensor ",
                     printable(item.name), " to write: the name is taken");
  }
  write_index(concat(folder, "/", stem, ".safetensors.index.json"), weight_map, total);
}

}  // namespace svdlab
