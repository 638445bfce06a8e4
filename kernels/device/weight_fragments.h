#pragma once
#include <cstdint>

#include "kernels/device/host_device.h"

namespace svdlab::device {

// The nibbles of CodeLayout::kSignedFragments64. The e4m3 byte m, 0 <= m <= 15, is m * 2^-9 exactly: for
// m < 8 a subnormal number, then normal ones with the same step. So a sign and a magnitude are an e4m3 number
// as they stand, and eight of them lie in a word such that two masks and one rotation give two registers.

inline constexpr uint32_t kSignedMask = 0x87878787u;
/// What a byte of the unpacked registers is worth, per unit of the code.
inline constexpr float kSignedUnit = 0x1p-9f;

/// First bit of the magnitude of value `e` (0..7) of a word, and the bit of its sign.
SVDLAB_HD int signed_magnitude_bit(int e) { return e < 4 ? 8 * e : 8 * (e - 4) + 4; }
SVDLAB_HD int signed_sign_bit(int e) { return e < 4 ? 8 * e + 7 : 8 * ((e - 3) % 4) + 3; }

/// Values 0..3 of a word as four e4m3 bytes, and values 4..7.
SVDLAB_HD uint32_t signed_low_values(uint32_t word) { return word & kSignedMask; }
SVDLAB_HD uint32_t signed_high_values(uint32_t word) { return (word >> 4 | word << 28) & kSignedMask; }

/// The four two's complement nibbles in the low half of `word` as int8, each 16 times its value.
SVDLAB_HD uint32_t int8_of_nibbles(uint32_t word) {
#ifdef __CUDA_ARCH__
  const uint32_t twice = __byte_perm(word, 0, 0x1100);
#else
  const uint32_t twice = (word & 0xffu) * 0x101u | (word >> 8 & 0xffu) * 0x1010000u;
#endif
  return (twice & 0xf000f000u) | (twice << 4 & 0x00f000f0u);
}

}  // namespace svdlab::device
