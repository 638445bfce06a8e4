#pragma once
#include <cstdint>
#include <cstdlib>

#include "core/io/safetensors_parse.h"
#include "tests/fuzz/verdict.h"

namespace svdlab::fuzz {

/// Any bytes give content or a refusal. Content lies inside the bytes and fills them from the header on.
inline bool safetensors_target(const uint8_t* bytes, size_t size) {
  return accepted("fuzz.safetensors", [&] {
    const StContent content = parse_safetensors(bytes, size, "fuzz.safetensors");
    uint64_t covered = 0;
    for (const auto& [name, entry] : content.entries) {
      const auto begin = static_cast<uint64_t>(entry.data - bytes);
      if (begin < 8 || begin > size || entry.bytes > size - begin) std::abort();
      covered += entry.bytes;
    }
    uint64_t length = 0;
    for (int i = 7; i >= 0; --i) length = length << 8 | bytes[i];
    if (covered != size - 8 - length) std::abort();
  });
}

}  // namespace svdlab::fuzz
