#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "core/io/safetensors.h"

namespace svdlab {

struct StContent {
  std::map<std::string, StEntry> entries;  ///< data points into the parsed bytes
  std::map<std::string, std::string> metadata;
};

/// The whole .safetensors file at [bytes, bytes + size) -> its content, or kInput with `where`, the tensor
/// and the values. Total: any bytes give one or the other, and only those bytes are read.
StContent parse_safetensors(const uint8_t* bytes, uint64_t size, const std::string& where);

}  // namespace svdlab
