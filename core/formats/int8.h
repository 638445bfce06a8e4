#pragma once
#include <cstdint>

#include "core/formats/rounding.h"

namespace svdlab {

inline constexpr float kInt8Max = 127.0f;

/// Symmetric signed 8 bit: -127..127, ties to even, clipped at +-127 (-128 is never produced). NaN clips as
/// an infinity of its sign; callers refuse NaN before.
constexpr int8_t int8_encode(float x) { return static_cast<int8_t>(detail::round_clipped(x, kInt8Max)); }

constexpr float int8_decode(int8_t code) { return static_cast<float>(code); }

}  // namespace svdlab
