#pragma once
#include <cstdint>

namespace svdlab {

// Two 4-bit codes a byte, the even column in the low nibble. A row of odd length ends with an empty high
// nibble.

constexpr int64_t packed_bytes(int64_t columns) { return (columns + 1) / 2; }

/// codes [columns], one a byte (the low nibble counts) -> packed [packed_bytes(columns)].
inline void pack_nibbles(const uint8_t* codes, int64_t columns, uint8_t* packed) {
  for (int64_t i = 0; i < columns / 2; ++i)
    packed[i] = static_cast<uint8_t>((codes[2 * i] & 0xf) | codes[2 * i + 1] << 4);
  if (columns % 2 != 0) packed[columns / 2] = codes[columns - 1] & 0xf;
}

/// packed [packed_bytes(columns)] -> codes [columns], high nibbles 0.
inline void unpack_nibbles(const uint8_t* packed, int64_t columns, uint8_t* codes) {
  for (int64_t i = 0; i < columns / 2; ++i) {
    codes[2 * i] = packed[i] & 0xf;
    codes[2 * i + 1] = packed[i] >> 4;
  }
  if (columns % 2 != 0) codes[columns - 1] = packed[columns / 2] & 0xf;
}

}  // namespace svdlab
