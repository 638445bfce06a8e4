#pragma once
#include <cstdint>
#include <type_traits>

#include "core/base/view.h"

namespace svdlab {

/// The 16-bit type of a model's activations.
enum class HalfType { kBf16, kFp16 };

/// Row-major 16-bit numbers as their bits (core/formats/bf16.h, fp16.h).
/// @tparam Bits  uint16_t, or const uint16_t for an input.
template <class Bits>
struct HalfView {
  HalfType type = HalfType::kBf16;
  MatrixView<Bits> bits;

  int64_t rows() const { return bits.rows; }
  int64_t cols() const { return bits.cols; }
  operator HalfView<const Bits>() const requires(!std::is_const_v<Bits>) { return {type, bits}; }
};

using HalfMatrix = HalfView<const uint16_t>;
using HalfOutput = HalfView<uint16_t>;

float half_decode(HalfType type, uint16_t bits);
/// Round to nearest even.
uint16_t half_encode(HalfType type, float value);
/// The value of `type` nearest to x.
float half_round(HalfType type, float x);
const char* to_string(HalfType type);

}  // namespace svdlab
