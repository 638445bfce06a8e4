#pragma once
#include <bit>
#include <cstdint>

namespace svdlab {

/// bfloat16: the upper 16 bits of a float. Round to nearest even; overflow goes to infinity; subnormals are
/// kept; NaN stays NaN of its sign, made quiet.
constexpr uint16_t bf16_encode(float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1)) >> 16;
  const uint32_t quiet = (u >> 16) | 0x40u;
  return static_cast<uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

constexpr float bf16_decode(uint16_t code) { return std::bit_cast<float>(static_cast<uint32_t>(code) << 16); }

/// The bf16 value nearest to x.
constexpr float bf16_round(float x) { return bf16_decode(bf16_encode(x)); }

}  // namespace svdlab
