#pragma once
#include "kernels/device/wgmma.cuh"

namespace svdlab::device {

/// D[64, n] += A B^T of one warpgroup, for one warp's rows: `a_of(row of the warp, k)` and `b_of(column, k)`.
template <class Sum, int kRegisters, class A, class B>
void add_product(Sum (&d)[kRegisters], int columns, A a_of, B b_of) {
  const int l = emulated::lane();
  for (int i = 0; i < kRegisters; ++i) {
    const Place at = mma_accumulator(l, i % 4);
    std::conditional_t<std::is_same_v<Sum, int>, int64_t, double> sum = d[i];
    for (int k = 0; k < columns; ++k) sum += a_of(at.row, k) * b_of(8 * (i / 4) + at.col, k);
    d[i] = static_cast<Sum>(sum);
  }
}

template <int kRegisters>
void wgmma_s8(int (&d)[kRegisters], uint64_t a, uint64_t b) {
  const int first = static_cast<int>(emulated::current->thread.x % 128 / 32 * 16);
  add_product(
      d, 32, [&](int row, int k) { return int64_t{static_cast<int8_t>(*byte_of_b(a, first + row, k))}; },
      [&](int column, int k) { return int64_t{static_cast<int8_t>(*byte_of_b(b, column, k))}; });
}

template <HalfType kType, int kRegisters>
void wgmma_16bit(float (&d)[kRegisters], const uint32_t (&a)[4], uint64_t tile) {
  uint32_t all[32][4];
  emulated::gather(a, all);
  add_product(
      d, 16,
      [&](int row, int k) {
        const uint32_t word = all[row % 8 * 4 + k % 8 / 2][row / 8 + 2 * (k / 8)];
        return double{half_decode(kType, static_cast<uint16_t>(word >> 16 * (k % 2)))};
      },
      [&](int column, int k) {
        uint16_t bits;
        std::memcpy(&bits, byte_of_b(tile, column, 2 * k), 2);
        return double{half_decode(kType, bits)};
      });
}

template <int kPending>
void stores_before_have_read() {}

}  // namespace svdlab::device
