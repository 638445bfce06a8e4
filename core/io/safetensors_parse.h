#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/io/safetensors_dtype.h"

namespace svdlab {

struct StEntry {
  StDtype dtype;
  std::vector<int64_t> shape;
  const uint8_t* data = nullptr;  ///< into the mapped (or parsed) bytes
  uint64_t bytes = 0;
};

struct StContent {
  std::map<std::string, StEntry> entries;
  std::map<std::string, std::string> metadata;
};

/// The whole .safetensors file at [bytes, bytes + size) -> its content, or kInput with `where`, the tensor
/// and the values. Total: any bytes give one or the other, and only those bytes are read.
StContent parse_safetensors(const uint8_t* bytes, uint64_t size, const std::string& where);

}  // namespace svdlab
