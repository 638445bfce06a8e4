#pragma once
#include <bit>
#include <cstdint>

namespace svdlab {

/// E8M0, the scale format of OCP Microscaling (MX) v1.0: code c is 2^(c - 127), 0xff is NaN; no zero, no
/// sign.
constexpr float fp8_e8m0_decode(uint8_t code) {
  const uint32_t bits = code == 0      ? 0x00400000u
                        : code == 0xff ? 0x7fc00000u
                                       : static_cast<uint32_t>(code) << 23;
  return std::bit_cast<float>(bits);
}

/// 2^floor(log2 |x|), the OCP rule. The sign is ignored; zero and below 2^-127 give code 0, infinity 254, NaN
/// 255.
constexpr uint8_t fp8_e8m0_encode_floor(float x) {
  const uint32_t m = std::bit_cast<uint32_t>(x) & 0x7fffffffu;
  const uint32_t exponent = m >> 23 < 254u ? m >> 23 : 254u;
  return static_cast<uint8_t>(m > 0x7f800000u ? 255u : exponent);
}

/// 2^ceil(log2 |x|): a scale of amax / largest never saturates a code (ModelOpt; "RCEIL" of torchao). The
/// sign is ignored; zero and up to 2^-127 give code 0, above 2^127 (infinity too) 254, NaN 255.
constexpr uint8_t fp8_e8m0_encode_ceil(float x) {
  const uint32_t m = std::bit_cast<uint32_t>(x) & 0x7fffffffu;
  // Below 2^-126 the exponent field no longer counts: 2^-127 itself is a subnormal with mantissa 0x400000.
  const uint32_t above = m < 0x00800000u ? m > 0x00400000u : (m & 0x7fffffu) != 0;
  const uint32_t exponent = (m >> 23) + above;
  return static_cast<uint8_t>(m > 0x7f800000u ? 255u : exponent < 254u ? exponent : 254u);
}

}  // namespace svdlab
