#pragma once
#include <cstdint>

#include "core/formats/rounding.h"

namespace svdlab {

inline constexpr float kInt4Max = 7.0f;

/// Symmetric signed 4 bit: -7..7, ties to even, clipped at +-7 (-8 is never produced); two's complement in
/// the low nibble, high nibble 0. NaN clips as an infinity of its sign; callers refuse NaN before.
constexpr uint8_t int4_encode(float x) {
  return static_cast<uint8_t>(detail::round_clipped(x, kInt4Max) & 0xf);
}

/// Uses the low four bits of `code`; -8..7.
constexpr float int4_decode(uint8_t code) { return static_cast<float>(((code & 0xf) ^ 8) - 8); }

}  // namespace svdlab
