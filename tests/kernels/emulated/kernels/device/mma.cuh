#pragma once
#include "kernels/device/encode.h"
#include "kernels/half.h"
#include "tests/kernels/emulated/intrinsics.h"

namespace svdlab::device {

// d[16][8] += a[16][k] b[8][k]^T from the fragments of the PTX manual: lane 4 r + q holds, of rows r and r +
// 8 of a and of row r of b, word q of the lower and of the upper half of k. decode(word, e, is_a) is element
// e of a word.
template <class Sum, class D, class Decode>
void mma_of_words(D (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, int per_word, Decode decode) {
  const uint32_t mine[6] = {a[0], a[1], a[2], a[3], b0, b1};
  uint32_t all[32][6];
  emulated::gather(mine, all);
  const int l = emulated::lane();
  for (int i = 0; i < 4; ++i) {
    const int row = l / 4 + 8 * (i / 2), col = 2 * (l % 4) + i % 2;
    Sum sum = 0;
    for (int q = 0; q < 4; ++q)
      for (int half = 0; half < 2; ++half)
        for (int e = 0; e < per_word; ++e)
          sum += static_cast<Sum>(decode(all[row % 8 * 4 + q][row / 8 + 2 * half], e, true)) *
                 static_cast<Sum>(decode(all[col * 4 + q][4 + half], e, false));
    d[i] += static_cast<D>(sum);
  }
}

template <HalfType kType>
void mma_16bit(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  mma_of_words<double>(d, a, b0, b1, 2, [](uint32_t word, int e, bool) {
    return half_decode(kType, static_cast<uint16_t>(word >> 16 * e));
  });
}

inline void mma_tf32(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  mma_of_words<double>(d, a, b0, b1, 1,
                       [](uint32_t word, int, bool) { return float_of(word & 0xffffe000u); });
}

inline void mma_s8(int (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  mma_of_words<int>(d, a, b0, b1, 4,
                    [](uint32_t word, int e, bool) { return static_cast<int8_t>(word >> 8 * e); });
}

inline void mma_s4(int (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, bool is_unsigned) {
  mma_of_words<int>(d, a, b0, b1, 8, [&](uint32_t word, int e, bool is_a) {
    const int code = word >> 4 * e & 15;
    return is_a && is_unsigned ? code : (code ^ 8) - 8;
  });
}

inline float emulated_e4m3(uint32_t byte) {
  return __half2float(__half(__nv_cvt_fp8_to_halfraw(static_cast<uint8_t>(byte), __NV_E4M3)));
}

inline void mma_e2m1_scaled(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                            uint32_t scales_a, uint32_t scales_b) {
  constexpr float kValues[16] = {0, .5f, 1, 1.5f, 2, 3, 4, 6, 0, -.5f, -1, -1.5f, -2, -3, -4, -6};
  const uint32_t mine[8] = {a[0], a[1], a[2], a[3], b0, b1, scales_a, scales_b};
  uint32_t all[32][8];
  emulated::gather(mine, all);
  const int l = emulated::lane();
  for (int i = 0; i < 4; ++i) {
    const int row = l / 4 + 8 * (i / 2), col = 2 * (l % 4) + i % 2;
    double sum = 0;
    for (int k = 0; k < 64; ++k) {
      const int q = k % 32 / 8, half = k / 32, shift = 4 * (k % 8);
      sum += double{kValues[all[row % 8 * 4 + q][row / 8 + 2 * half] >> shift & 15]} *
             kValues[all[col * 4 + q][4 + half] >> shift & 15] *
             emulated_e4m3(all[row % 8 * 4 + row / 8][6] >> 8 * (k / 16)) *
             emulated_e4m3(all[col * 4][7] >> 8 * (k / 16));
    }
    d[i] += static_cast<float>(sum);
  }
}

}  // namespace svdlab::device
