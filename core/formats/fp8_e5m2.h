#pragma once
#include <bit>
#include <cstdint>

#include "core/formats/minifloat.h"

namespace svdlab {

inline constexpr float kFp8E5M2Max = 57344.0f;

/// E5M2 (arXiv 2209.05433): bias 15, subnormal step 2^-16, largest finite 57344, infinity 0x7c. Round to
/// nearest even, |x| >= 61440 goes to infinity: IEEE, as torch and ONNX's saturate=0. NaN of either sign
/// becomes 0x7e.
constexpr uint8_t fp8_e5m2_encode(float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x);
  const uint32_t m = u & 0x7fffffffu;
  const uint32_t rounded = detail::minifloat_round<5, 2>(m);
  const uint32_t code = (u >> 24 & 0x80u) | (rounded < 0x7cu ? rounded : 0x7cu);
  return static_cast<uint8_t>(m > 0x7f800000u ? 0x7eu : code);
}

/// Codes 0x7d..0x7f and 0xfd..0xff are NaN.
constexpr float fp8_e5m2_decode(uint8_t code) {
  const uint32_t m = code & 0x7fu;
  const uint32_t special = m == 0x7cu ? 0x7f800000u : 0x7fc00000u;
  const uint32_t value = std::bit_cast<uint32_t>(detail::minifloat_value<5, 2>(m));
  return std::bit_cast<float>((m >= 0x7cu ? special : value) | static_cast<uint32_t>(code & 0x80u) << 24);
}

}  // namespace svdlab
