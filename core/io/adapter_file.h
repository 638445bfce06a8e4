#pragma once
#include <string>
#include <vector>

#include "core/base/value.h"
#include "core/ir/lora.h"

namespace svdlab {

/// An adapter in a folder of a compressed model: a file beside those of the units,
/// adapter.<name>.safetensors, with the factors as they were in the adapter's own file. What the folder held
/// before is not touched, so taking it off again gives every byte back.
struct StoredAdapter {
  std::string name;
  std::string sha256;   ///< of the adapter's own file
  double strength = 1;  ///< asked for; part of every scale below

  struct Item {
    std::string linear;
    int64_t rank = 0;
    double scale = 1;      ///< see LoraDelta
    std::string down, up;  ///< tensors; `down` is the same for linears that share it
  };
  std::vector<Item> items;

  std::string file() const;  ///< kConfig when the name is none for a file
};

Value adapter_value(const StoredAdapter& adapter);
/// Throws kConfig with the place when a key is missing, unknown or has the wrong type.
StoredAdapter read_adapter(const Value& value, const std::string& key);

/// Writes the file of `adapter` with the factors of `deltas`, one for each linear, and lists them in its
/// items.
void write_adapter(const std::string& folder, const std::string& fingerprint, const LoraDeltas& deltas,
                   StoredAdapter& adapter);
/// What the adapter in `folder` adds to those of `linears` that it is for. Throws kInput when its file is
/// damaged or of another folder.
void load_adapter(const std::string& folder, const std::string& fingerprint, const StoredAdapter& adapter,
                  const std::vector<std::string>& linears, LoraDeltas& deltas);

}  // namespace svdlab
