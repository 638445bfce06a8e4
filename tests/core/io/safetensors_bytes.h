#pragma once
#include <string>

namespace svdlab::testing {

/// A .safetensors file in memory: length, header as given (valid or not), data.
inline std::string safetensors_bytes(const std::string& header, const std::string& data = "") {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(header.size() >> (8 * i));
  return out + header + data;
}

}  // namespace svdlab::testing
