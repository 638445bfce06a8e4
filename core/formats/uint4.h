#pragma once
#include <bit>
#include <cstdint>

#include "core/formats/rounding.h"

namespace svdlab {

inline constexpr float kUint4Max = 15.0f;

/// Unsigned 4 bit: 0..15, ties to even, clipped at both ends. NaN clips as an infinity of its sign; callers
/// refuse NaN before.
constexpr uint8_t uint4_encode(float x) {
  // As a signed integer every negative float lies below 0 and positive floats keep their order.
  constexpr int32_t kTop = std::bit_cast<int32_t>(kUint4Max);
  const int32_t bits = std::bit_cast<int32_t>(x);
  const int32_t floored = bits & ~(bits >> 31);
  return static_cast<uint8_t>(detail::round_half_even(std::bit_cast<float>(floored < kTop ? floored : kTop)));
}

/// Uses the low four bits of `code`.
constexpr float uint4_decode(uint8_t code) { return static_cast<float>(code & 0xf); }

}  // namespace svdlab
