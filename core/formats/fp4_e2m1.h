#pragma once
#include <bit>
#include <cstdint>

namespace svdlab {

inline constexpr float kFp4E2M1Max = 6.0f;
/// Magnitude of codes 0..7; bit 3 is the sign, so 8 is -0.
inline constexpr float kFp4E2M1Values[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};

/// E2M1 (OCP Microscaling v1.0). Nearest value, ties to the even code (0.25 -> 0, 0.75 -> 1, 2.5 -> 2, 5 ->
/// 4); above 5 saturates to 6, infinity too. The sign is kept on zero: -0 and -0.25 give code 8. There is no
/// NaN: it becomes code 8 as in ONNX's Cast (the GPU's cvt.satfinite gives +6 instead), so callers refuse NaN
/// before.
constexpr uint8_t fp4_e2m1_encode(float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x);
  // Positive floats order like their bits. Counting the passed midpoints needs no branch and vectorises.
  const int32_t m = static_cast<int32_t>(u & 0x7fffffffu);
  const auto above = [m](float midpoint) {
    return static_cast<uint32_t>(m > std::bit_cast<int32_t>(midpoint));
  };
  const auto from = [m](float midpoint) {
    return static_cast<uint32_t>(m >= std::bit_cast<int32_t>(midpoint));
  };
  const uint32_t magnitude =
      above(0.25f) + from(0.75f) + above(1.25f) + from(1.75f) + above(2.5f) + from(3.5f) + above(5.0f);
  return static_cast<uint8_t>(m > 0x7f800000 ? 8u : (u >> 28 & 8u) | magnitude);
}

/// Uses the low four bits of `code`.
constexpr float fp4_e2m1_decode(uint8_t code) {
  const float magnitude = kFp4E2M1Values[code & 7];
  return code & 8 ? -magnitude : magnitude;
}

}  // namespace svdlab
