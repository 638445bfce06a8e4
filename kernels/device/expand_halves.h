#pragma once
#include <cstdint>

#include "kernels/device/encode.h"
#include "kernels/device/half_codes.h"

namespace svdlab::device {

// Activations as fp16 numbers for the loops of gemm_wgmma.cuh. The columns of each 64 are dealt out anew, in
// the order in which a thread finds the weights' nibbles: nibbles q and q + 4 of a word are one register, and
// a product does not mind the order of its columns as long as both operands have the same.

/// Column of 64 that lies at place `place` when weights are CodeLayout::kFragments64.
SVDLAB_HD int fragment_column(int place) {
  const int j = place / 16, h = place / 8 % 2, c = place / 2 % 4, u = place % 2;
  return 32 * (j / 2) + 16 * u + 4 * c + 2 * (j % 2) + h;
}

/// The same when they are kNibbles: lane c of a quad has columns 16 c .. 16 c + 15, one group of nvfp4.
SVDLAB_HD int nibble_column(int place) {
  const int j = place / 16, h = place / 8 % 2, c = place / 2 % 4, u = place % 2;
  return 16 * c + 8 * (j / 2) + 4 * u + 2 * (j % 2) + h;
}

/// Bytes `i` of both words, int8, as two fp16 numbers that are too large by kInt8Excess: with the sign bit
/// turned over they are 0..255 in the mantissa of 1024.
SVDLAB_HD uint32_t int8_plus_excess(uint32_t low, uint32_t high, int i) {
  return ((low >> 8 * i & 0xffu) | (high >> 8 * i & 0xffu) << 16) ^ 0x64806480u;
}
inline constexpr float kInt8Excess = 1152.0f;

/// A bf16 scale over its row's power of two reaches fp16 times this: its product with a code of 4 bits then
/// is finite, and exact down to 2^-28 of the power.
inline constexpr float kInt4HalfLift = 0x1p11f;

}  // namespace svdlab::device
