#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/io/safetensors_dtype.h"
#include "core/io/safetensors_parse.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// A read-only mapped .safetensors file. Strict: the header is at most 100 MB of JSON without duplicate
/// names, offsets are contiguous from 0, sizes match shape times dtype, the buffer is covered exactly.
/// Anything else throws kInput naming file, tensor and values; nothing is allocated from an unchecked size
/// and nothing outside the file is read.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);
  const std::string& path() const { return path_; }
  const std::map<std::string, StEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// A tensor that views the mapping and keeps it alive: read-only memory, writing to it crashes (a copy is
  /// made where the file does not align the data to its type). F8 comes as uint8 of the same shape. F4 and F6
  /// come as uint8 with the last size in bytes when a row fills whole bytes (F4: halved), else flat; U16,
  /// U32, U64 (no torch 1.13 dtype) as flat uint8. Truncating the file while it is mapped kills the process
  /// (SIGBUS): replace files, as the writers here do.
  Tensor tensor(const std::string& name) const;

 private:
  std::shared_ptr<const void> mapping_;
  std::string path_;
  std::map<std::string, StEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

/// All tensors of a model folder or file: `model.safetensors.index.json`, `*.safetensors.index.json`, or a
/// lone .safetensors. Throws kInput for a tensor that is listed but missing, present twice or not listed, and
/// for a folder that leaves the choice open (name the file then).
std::map<std::string, Tensor> load_safetensors(const std::string& file_or_folder);

struct StWrite {
  std::string name;
  Tensor tensor;  ///< contiguous CPU tensor (made so if it is not)
  /// Format tag to write for uint8 tensors that hold raw F8/F4 bytes; nullptr: from the tensor's dtype.
  const StDtype* raw_dtype = nullptr;
  std::vector<int64_t> raw_shape;  ///< with raw_dtype: the logical shape
};

/// Writes to `path`.tmp.<pid> and renames: a reader sees the old file or the whole new one. Tensors keep the
/// order given. Throws kResource on a full disk, kInput for a name given twice, a dtype without a safetensors
/// name, or bytes that do not match raw_dtype and raw_shape.
void save_safetensors(const std::string& path, const std::vector<StWrite>& tensors,
                      const std::map<std::string, std::string>& metadata = {});

/// Writes shards `<stem>-00001-of-0000N.safetensors` of at most `max_shard_bytes` of tensor data each (a
/// larger tensor has a shard of its own) and then the index `<stem>.safetensors.index.json`, in the layout
/// diffusers reads; its stem is diffusion_pytorch_model. One shard is named in the same way.
void save_safetensors_sharded(const std::string& folder, const std::string& stem,
                              const std::vector<StWrite>& tensors, uint64_t max_shard_bytes);

}  // namespace svdlab
