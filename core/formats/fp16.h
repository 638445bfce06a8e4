#pragma once
#include <bit>
#include <cstdint>

#include "core/formats/minifloat.h"

namespace svdlab {

/// IEEE binary16. Round to nearest even; |x| >= 65520 goes to infinity; subnormals (step 2^-24) are kept; NaN
/// stays NaN of its sign, made quiet, with the upper payload bits (what F16C hardware does).
constexpr uint16_t fp16_encode(float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x);
  const uint32_t m = u & 0x7fffffffu;
  const uint32_t rounded = detail::minifloat_round<5, 10>(m);
  const uint32_t finite_or_inf = rounded < 0x7c00u ? rounded : 0x7c00u;
  const uint32_t quiet = 0x7e00u | ((m >> 13) & 0x1ffu);
  return static_cast<uint16_t>((u >> 16 & 0x8000u) | (m > 0x7f800000u ? quiet : finite_or_inf));
}

constexpr float fp16_decode(uint16_t code) {
  const uint32_t m = code & 0x7fffu;
  const uint32_t special = 0x7f800000u | (m & 0x3ffu) << 13;
  const uint32_t value = std::bit_cast<uint32_t>(detail::minifloat_value<5, 10>(m));
  return std::bit_cast<float>((m >= 0x7c00u ? special : value) | static_cast<uint32_t>(code & 0x8000u) << 16);
}

/// The fp16 value nearest to x.
constexpr float fp16_round(float x) { return fp16_decode(fp16_encode(x)); }

}  // namespace svdlab
