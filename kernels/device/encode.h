#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/device/host_device.h"

namespace svdlab::device {

// core/formats in a form that kernels can call. tests/kernels/device compares them.

SVDLAB_HD uint32_t bits_of(float x) {
  uint32_t u;
  memcpy(&u, &x, 4);
  return u;
}
SVDLAB_HD float float_of(uint32_t u) {
  float x;
  memcpy(&x, &u, 4);
  return x;
}

inline constexpr float kRoundingMagic = 0x1.8p23f;

/// The low bits of the result are those of x rounded half to even, in two's complement, for |x| < 2^22.
SVDLAB_HD uint32_t rounded_bits(float x) { return bits_of(x + kRoundingMagic); }

/// x rounded half to even, for |x| < 2^22.
SVDLAB_HD float rounded(float x) { return (x + kRoundingMagic) - kRoundingMagic; }

/// (x + m) - m, m = e2m1_magic(x), is x rounded to nearest even to the numbers of e2m1 up to sign, |x|
/// <= 6.5: m's last place is e2m1's at x.
SVDLAB_HD float e2m1_magic(float x) {
  const float m = fmaxf(float_of(bits_of(x) & 0x7fffffffu), 1.0f);
  return float_of((bits_of(m) & 0x7f800000u) | 0x00400000u) * 0x1p22f;
}

/// A number of e2m1 times this is an e4m3 number with the byte s00c cc00 of code sccc.
inline constexpr float kE2M1ByteUnit = 0x1p-6f;
SVDLAB_HD uint32_t e2m1_of_bytes(uint32_t bytes) {
  return (bytes >> 2 & 0x07070707u) | (bytes >> 4 & 0x08080808u);
}

/// The e2m1 codes in the nibbles of `word` as fp16 numbers times 2^-14: nibble `i` of each 16-bit half.
SVDLAB_HD uint32_t e2m1_as_half2(uint32_t word, int i) {
  const uint32_t nibbles = word >> (4 * i);
  return (nibbles << 12 & 0x80008000u) | (nibbles << 9 & 0x0e000e00u);
}
/// e2m1 bits have an exponent bias of 1, fp16's is 15: what e2m1_as_half2 leaves out.
inline constexpr float kE2M1HalfUnit = 0x1p14f;
/// Keeps an e4m3 scale times an e2m1 code exact in fp16: 448 * 2^7 is finite, 2^-9 * 2^7 * 2^-15 a multiple
/// of 2^-24.
inline constexpr float kE4M3HalfLift = 0x1p7f;

/// Four bytes from the low bytes of four words.
SVDLAB_HD uint32_t low_bytes(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
#ifdef __CUDA_ARCH__
  return __byte_perm(__byte_perm(a, b, 0x0040), __byte_perm(c, d, 0x0040), 0x5410);
#else
  return (a & 0xff) | (b & 0xff) << 8 | (c & 0xff) << 16 | (d & 0xff) << 24;
#endif
}

/// Eight nibbles, the first in the lowest bits, from the low nibbles of the bytes of `a`, then of `b`.
SVDLAB_HD uint32_t nibbles_of_bytes(uint32_t a, uint32_t b) {
  a = (a & 0x000f000fu) | (a >> 4 & 0x00f000f0u);
  b = (b & 0x000f000fu) | (b >> 4 & 0x00f000f0u);
#ifdef __CUDA_ARCH__
  return __byte_perm(a, b, 0x6420);
#else
  return (a & 0xff) | (a >> 8 & 0xff00) | (b & 0xff) << 16 | (b & 0xff0000) << 8;
#endif
}

/// The e4m3 byte of the integer v, 0 <= v <= 15: exact.
SVDLAB_HD uint32_t e4m3_of_integer(uint32_t v) {
  if (v < 2) return v * 0x38u;
  uint32_t exponent = 0;
  for (uint32_t rest = v; rest > 1; rest >>= 1) ++exponent;
  return (exponent + 7) << 3 | (v << 3 >> exponent & 7u);
}

}  // namespace svdlab::device
