#pragma once
#include "kernels/device/cluster.cuh"
#include "kernels/device/mma.cuh"

namespace svdlab::device {

// A product is done when it is started. Rows of the sums lie with the warp that holds them of operand A, so
// that a warp needs no other one.

inline uint64_t swizzled_tile(uint32_t address) { return (address & 0x3ffffu) >> 4; }
inline void wgmma_fence() {}
inline void wgmma_commit() {}
template <int kPending>
void wgmma_wait() {}
template <class Registers>
void pin(Registers&) {}

/// Byte `byte` of row n of operand B, as the hardware finds it: the swizzle acts on the bits of the address.
inline const uint8_t* byte_of_b(uint64_t tile, int n, int byte) {
  const auto address = static_cast<uint32_t>((tile & 0x3fff) << 4) + 128 * n + byte;
  return emulated::current->block->memory() + (address ^ (address >> 3 & 0x70));
}

template <int kRegisters>
void wgmma_e4m3(uint32_t (&d)[kRegisters], const uint32_t (&a)[4], uint64_t tile, int accumulate) {
  uint32_t all[32][4];
  emulated::gather(a, all);
  const int l = emulated::lane();
  for (int i = 0; i < kRegisters; ++i) {
    float sums[2];
    for (int e = 0; e < 2; ++e) {
      double sum = accumulate ? half_decode(HalfType::kFp16, static_cast<uint16_t>(d[i] >> 16 * e)) : 0.0f;
      for (int k = 0; k < 32; ++k)
        sum += double{emulated_e4m3(all[l / 4 * 4 + k % 16 / 4][i % 2 + 2 * (k / 16)] >> 8 * (k % 4))} *
               emulated_e4m3(*byte_of_b(tile, 8 * (i / 2) + 2 * (l % 4) + e, k));
      sums[e] = static_cast<float>(sum);
    }
    d[i] = half_encode(HalfType::kFp16, sums[0]) | uint32_t{half_encode(HalfType::kFp16, sums[1])} << 16;
  }
}

template <int kRegisters>
void wgmma_tf32(float (&d)[kRegisters], const uint32_t (&a)[4], uint64_t tile, int) {
  uint32_t all[32][4];
  emulated::gather(a, all);
  const int l = emulated::lane();
  for (int i = 0; i < kRegisters; ++i) {
    double sum = 0;
    for (int k = 0; k < 8; ++k) {
      uint32_t b;
      std::memcpy(&b, byte_of_b(tile, 8 * (i / 4) + 2 * (l % 4) + i % 2, 4 * k), 4);
      sum += double{float_of(all[l / 4 * 4 + k % 4][i / 2 % 2 + 2 * (k / 4)] & 0xffffe000u)} *
             float_of(b & 0xffffe000u);
    }
    d[i] += static_cast<float>(sum);
  }
}

}  // namespace svdlab::device
