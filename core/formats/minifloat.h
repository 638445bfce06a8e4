#pragma once
#include <bit>
#include <cstdint>

namespace svdlab::detail {

// Magnitudes of an IEEE-like number with kExponent exponent bits (bias 2^(kExponent-1) - 1) and kMantissa
// stored mantissa bits, subnormals included. Infinity, NaN, saturation and sign belong to the format that
// calls.

/// Code of the magnitude with float bits `m` (finite), rounded to nearest even. Exponents above the format's
/// range go on counting, so the caller's comparison with its largest code sees every overflow.
template <int kExponent, int kMantissa>
constexpr uint32_t minifloat_round(uint32_t m) {
  constexpr int kShift = 23 - kMantissa;
  constexpr uint32_t kBias = (1u << (kExponent - 1)) - 1;
  constexpr uint32_t kRebias = (127 - kBias) << 23;
  // Adding 2^23 subnormal steps leaves the rounded count of steps in the low bits of the sum.
  constexpr uint32_t kMagic = (127 + 23 + 1 - kBias - kMantissa) << 23;
  const uint32_t normal = (m - kRebias + (1u << (kShift - 1)) - 1 + ((m >> kShift) & 1)) >> kShift;
  const float step_count = std::bit_cast<float>(m) + std::bit_cast<float>(kMagic);
  const uint32_t subnormal = std::bit_cast<uint32_t>(step_count) - kMagic;
  return m < kRebias + (1u << 23) ? subnormal : normal;
}

/// Value of a magnitude code; exact. A code of the topmost exponent is an ordinary number here.
template <int kExponent, int kMantissa>
constexpr float minifloat_value(uint32_t code) {
  constexpr uint32_t kBias = (1u << (kExponent - 1)) - 1;
  constexpr float kStep = std::bit_cast<float>((127 + 1 - kBias - kMantissa) << 23);
  const float normal = std::bit_cast<float>((code << (23 - kMantissa)) + ((127 - kBias) << 23));
  const float subnormal = static_cast<float>(static_cast<int32_t>(code)) * kStep;
  return code < (1u << kMantissa) ? subnormal : normal;
}

}  // namespace svdlab::detail
