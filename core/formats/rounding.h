#pragma once
#include <bit>
#include <cstdint>

namespace svdlab::detail {

/// x rounded half to even, for |x| < 2^22. The sum has no fraction bits left, so the hardware has rounded it;
/// unlike std::nearbyint this is no library call without SSE4.1, and it vectorises.
constexpr int32_t round_half_even(float x) {
  constexpr float kMagic = 0x1.8p23f;
  return std::bit_cast<int32_t>(x + kMagic) - std::bit_cast<int32_t>(kMagic);
}

/// x clipped to [-limit, limit] and rounded half to even. NaN counts as an infinity of its sign.
constexpr int32_t round_clipped(float x, float limit) {
  const uint32_t u = std::bit_cast<uint32_t>(x);
  const uint32_t m = u & 0x7fffffffu;
  const uint32_t top = std::bit_cast<uint32_t>(limit);
  const int32_t magnitude = round_half_even(std::bit_cast<float>(m < top ? m : top));
  const int32_t sign = -static_cast<int32_t>(u >> 31);
  return (magnitude ^ sign) - sign;
}

}  // namespace svdlab::detail
