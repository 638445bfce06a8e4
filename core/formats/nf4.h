#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace svdlab {

/// NormalFloat4 (QLoRA, arXiv 2305.14314, appendix E): quantiles of a normal distribution, scaled to [-1, 1],
/// with 0.
inline constexpr std::array<float, 16> kNf4Values = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f,
};

namespace detail {

// The largest float at or below the exact midpoint: x > it decides exactly as x > midpoint does.
constexpr std::array<float, 15> nf4_midpoints() {
  std::array<float, 15> out{};
  for (size_t i = 0; i < out.size(); ++i) {
    const double exact = (static_cast<double>(kNf4Values[i]) + static_cast<double>(kNf4Values[i + 1])) / 2;
    out[i] = static_cast<float>(exact);
    // One float toward minus infinity is one up in bits below zero, one down above it.
    if (out[i] > exact)
      out[i] = std::bit_cast<float>(std::bit_cast<uint32_t>(out[i]) + (out[i] < 0 ? 1u : ~0u));
  }
  return out;
}

inline constexpr std::array<float, 15> kNf4Midpoints = nf4_midpoints();

template <size_t... kIndex>
constexpr uint32_t nf4_count_passed(float x, std::index_sequence<kIndex...>) {
  return (... + static_cast<uint32_t>(x > kNf4Midpoints[kIndex]));
}

}  // namespace detail

/// Index of the nearest of kNf4Values; a tie takes the lower index; outside [-1, 1] the end. NaN gives 0.
constexpr uint8_t nf4_encode(float x) {
  return static_cast<uint8_t>(detail::nf4_count_passed(x, std::make_index_sequence<15>()));
}

/// Uses the low four bits of `code`.
constexpr float nf4_decode(uint8_t code) { return kNf4Values[code & 0xf]; }

}  // namespace svdlab
