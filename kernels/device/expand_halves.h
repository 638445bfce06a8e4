#pragma once
#include <cstdint>

#include "kernels/device/encode.h"

namespace svdlab::device {

// Codes as fp16 numbers for the loops of gemm_wgmma.cuh. The columns of each 64 are dealt out anew, in the
// order in which a thread finds the weights' nibbles: nibbles q and q + 4 of a word are one register, and a
// product does not mind the order of its columns as long as both operands have the same.

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
#ifdef __CUDA_ARCH__
  const uint32_t both = __byte_perm(low, high, 0x4400 + 0x1111 * i) & 0x00ff00ffu;
#else
  const uint32_t both = (low >> 8 * i & 0xffu) | (high >> 8 * i & 0xffu) << 16;
#endif
  return both ^ 0x64806480u;
}
inline constexpr float kInt8Excess = 1152.0f;

/// Nibbles `q` (0..3) of each half of `word`, int4, as two fp16 numbers that are too large by
/// kInt4SmallExcess: with the sign bit turned over they are 0..15 in the mantissa of 16. Scales of 8 bits
/// times the excess are exact, so one fma multiplies and takes it away.
SVDLAB_HD uint32_t int4_plus_small_excess(uint32_t word, int q) {
  const uint32_t moved = q < 2 ? word << (6 - 4 * q) : word >> (4 * q - 6);
  return (moved & 0x03c003c0u) ^ 0x4e004e00u;
}
inline constexpr float kInt4SmallExcess = 24.0f;

/// A bf16 scale over its row's power of two reaches fp16 times this: its product with the excess then is
/// finite, and that with a code exact down to 2^-27 of the power.
inline constexpr float kInt4HalfLift = 0x1p10f;

}  // namespace svdlab::device
