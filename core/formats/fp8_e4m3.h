#pragma once
#include <bit>
#include <cstdint>

#include "core/formats/minifloat.h"

namespace svdlab {

inline constexpr float kFp8E4M3Max = 448.0f;

/// E4M3FN of "FP8 Formats for Deep Learning" (arXiv 2209.05433): bias 7, subnormal step 2^-9, largest 448, no
/// infinity. Round to nearest even; everything above 448, infinity too, saturates to +-448. NaN of either
/// sign becomes 0x7f.
constexpr uint8_t fp8_e4m3_encode(float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x);
  const uint32_t m = u & 0x7fffffffu;
  const uint32_t rounded = detail::minifloat_round<4, 3>(m);
  const uint32_t code = (u >> 24 & 0x80u) | (rounded < 0x7eu ? rounded : 0x7eu);
  return static_cast<uint8_t>(m > 0x7f800000u ? 0x7fu : code);
}

/// Codes 0x7f and 0xff are NaN.
constexpr float fp8_e4m3_decode(uint8_t code) {
  const uint32_t m = code & 0x7fu;
  const uint32_t value = std::bit_cast<uint32_t>(detail::minifloat_value<4, 3>(m));
  return std::bit_cast<float>((m == 0x7fu ? 0x7fc00000u : value) | static_cast<uint32_t>(code & 0x80u) << 24);
}

}  // namespace svdlab
