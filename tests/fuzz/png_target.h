#pragma once
#include <zlib.h>

#include <cstdlib>
#include <string>

#include "core/io/png.h"
#include "tests/fuzz/verdict.h"

namespace svdlab::fuzz {

/// Any file gives a picture of the size it says or a refusal.
inline bool png_target(const std::string& path) {
  return accepted(path, [&] {
    const Image image = read_png(path);
    const bool sound = image.width > 0 && image.height > 0;
    if (!sound ||
        image.rgb.size() != size_t{3} * static_cast<size_t>(image.width) * static_cast<size_t>(image.height))
      std::abort();
  });
}

/// Puts right the check sums of all chunks, so that a change is seen by what lies behind them.
inline void repair_png(uint8_t* file, size_t size) {
  const auto number = [&](size_t at) {
    return static_cast<size_t>(file[at]) << 24 | static_cast<size_t>(file[at + 1]) << 16 |
           static_cast<size_t>(file[at + 2]) << 8 | file[at + 3];
  };
  for (size_t at = 8; at + 12 <= size;) {
    const size_t length = number(at);
    if (length > size - at - 12) return;
    const uLong sum = crc32(0, file + at + 4, static_cast<uInt>(length + 4));
    at += length + 8;
    for (int shift = 24; shift >= 0; shift -= 8) file[at++] = static_cast<uint8_t>(sum >> shift);
  }
}

}  // namespace svdlab::fuzz
