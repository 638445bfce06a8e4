#pragma once
#include "kernels/device/encode.h"
#include "kernels/half.h"

namespace svdlab::device {

// int4 codes as 16-bit numbers: with the sign bit turned over they are 0..15, which or-ed into the mantissa
// of 1024 (fp16) or 128 (bf16) is that plus the number; what is to be taken away again is exact in the type.

/// Nibble `i` (0..3) of each half of `word`, as two 16-bit numbers that are too large by int4_excess.
SVDLAB_HD uint32_t int4_plus_excess(HalfType type, uint32_t word, int i) {
  const uint32_t one = type == HalfType::kBf16 ? 0x43084308u : 0x64086408u;
  return (word >> (4 * i) & 0x000f000fu) ^ one;
}
SVDLAB_HD float int4_excess(HalfType type) { return type == HalfType::kBf16 ? 136.0f : 1032.0f; }

/// word & mask ^ flip in one instruction; with two constants the compiler would take two.
SVDLAB_HD uint32_t and_xor(uint32_t word, uint32_t mask, uint32_t flip) {
#ifdef __CUDA_ARCH__
  asm("lop3.b32 %0, %0, %1, %2, 0x6a;" : "+r"(word) : "r"(mask), "r"(flip));
  return word;
#else
  return (word & mask) ^ flip;
#endif
}

/// The same nibbles as sixteenths on top of 1: each number is (code + kInt4SixteenthExcess) / 16. An excess
/// this small may be taken away from a sum in fp32.
SVDLAB_HD uint32_t int4_sixteenths(HalfType type, uint32_t word, int i) {
  const int left = (type == HalfType::kBf16 ? 3 : 6) - 4 * i;  // to the first bits of the mantissa
  const uint32_t moved = left >= 0 ? word << left : word >> -left;
  return type == HalfType::kBf16 ? and_xor(moved, 0x00780078u, 0x3fc03fc0u)
                                 : and_xor(moved, 0x03c003c0u, 0x3e003e00u);
}
inline constexpr float kInt4SixteenthExcess = 24.0f;

/// Place in a run of eight columns of value `e` (0 or 1) of pair `i`: what nibble i of each half holds.
SVDLAB_HD int paired_column(int i, int e) { return i + 4 * e; }

}  // namespace svdlab::device
