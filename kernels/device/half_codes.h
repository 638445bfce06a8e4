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

/// Place in a run of eight columns of value `e` (0 or 1) of pair `i`: what nibble i of each half holds.
SVDLAB_HD int paired_column(int i, int e) { return i + 4 * e; }

}  // namespace svdlab::device
