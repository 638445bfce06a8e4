#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/io/adapter_file.h"
#include "core/io/compressed_unit.h"

namespace svdlab {

// The compressed model on disk, canonical: a folder with
//   <first linear>.safetensors  for each unit: the tensors of its linears (see compressed_unit.h); its
//   metadata
//                               hold `schema`, `fingerprint` and `linears`, the description as JSON
//   quantization.json           written last: {format, schema, fingerprint, model, statistics, config, files:
//                               [{file, linears: [...]}]}; a folder without it is not finished. With LoRA
//                               adapters attached also `adapters`: [{name, sha256, strength, linears}]
//   adapter.<name>.safetensors  for each of them, see adapter_file.h
// Everything a linear needs is there, its bias included; what stays 16 bit is in the checkpoint.

/// Where a compressed model came from.
struct CompressedHeader {
  std::string fingerprint;  ///< hash of model, configuration and statistics
  std::string model_class, model_hash;
  std::string statistics_hash;  ///< "" when none were used
  Value config = Value::map();  ///< the configuration, resolved
  bool has_adapters = false;    ///< see CompressedFolder::adapters
};

inline constexpr int64_t kCompressedSchema = 1;
inline constexpr const char* kCompressedIndex = "quantization.json";
/// The same without files, as long as they are being written.
inline constexpr const char* kCompressedStart = "quantization.partial.json";

/// What the folder was begun with or is; nothing when it has neither file.
std::optional<CompressedHeader> compressed_header(const std::string& folder);
/// Writes quantization.partial.json.
void begin_compressed(const std::string& folder, const CompressedHeader& header);

/// File name of a unit, relative to the folder.
std::string compressed_file_name(const std::string& first_linear);

/// Writes one unit's file (temporary, then rename) and returns its name. Throws kResource on a full disk.
std::string write_compressed_group(const std::string& folder, const CompressedUnit& unit,
                                   const std::string& fingerprint);

/// True when `file` of the folder is there, whole and of this fingerprint; kConfig naming both fingerprints
/// when it is of another, kInput when it is damaged.
bool has_compressed_group(const std::string& folder, const std::string& file, const std::string& fingerprint);

/// Writes quantization.json over the given files, in this order, and removes quantization.partial.json. Every
/// file must be there with this fingerprint.
void write_compressed_index(const std::string& folder, const CompressedHeader& header,
                            const std::vector<std::string>& files);

/// Writes the index of the finished folder `from` into `to`, which has the same files, with these adapters
/// instead of its own. Without any it has the bytes that write_compressed_index() wrote.
void write_adapter_index(const std::string& from, const std::vector<StoredAdapter>& adapters,
                         const std::string& to);

/// A finished folder. Strict: what its files say must agree in every name, shape, type and fingerprint;
/// anything else is kInput naming the file. Tensors are read when they are asked for; const calls are
/// thread-safe.
class CompressedFolder {
 public:
  explicit CompressedFolder(const std::string& folder);

  const std::string& path() const { return path_; }
  const CompressedHeader& header() const { return header_; }
  /// Linears in the order of the index: by unit, members in order.
  const std::vector<std::string>& names() const { return names_; }
  bool has(const std::string& name) const { return linears_.count(name) > 0; }
  /// What is known without reading tensors; kConfig with the nearest name.
  const StoredLinear& linear(const std::string& name) const;
  /// Attached LoRA adapters, in the order they were attached in.
  const std::vector<StoredAdapter>& adapters() const { return adapters_; }
  /// Bit for bit what was saved; adapters are appended to the low-rank branch, see core/ir/lora.h.
  CompressedLinear load(const std::string& name) const;

  /// Linears that were compressed together, as indices of units; what they share, load_unit() shares again.
  size_t units() const { return units_.size(); }
  const std::vector<std::string>& unit_names(size_t unit) const { return units_.at(unit).names; }
  std::vector<CompressedLinear> load_unit(size_t unit) const;
  /// Everything at once.
  CompressedModel load_model() const;

 private:
  struct Unit {
    std::string file;
    std::vector<std::string> names;
    std::string description;  // canonical JSON of its linears, as its file must have it
  };

  void read_index(const Value& index);
  void add_unit(const Value& value, const std::string& key);
  void add_adapter(const Value& value, const std::string& key);
  LoraDeltas deltas_of(size_t unit) const;
  SafetensorsFile open(size_t unit) const;

  std::string path_;
  CompressedHeader header_;
  std::vector<Unit> units_;
  std::vector<StoredAdapter> adapters_;
  std::vector<std::string> names_;
  std::map<std::string, std::pair<size_t, StoredLinear>> linears_;  // unit, description
};

}  // namespace svdlab
