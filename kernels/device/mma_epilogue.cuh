#pragma once
#include "kernels/device/half.cuh"
#include "kernels/device/mma.cuh"

namespace svdlab::device {

/// What follows a product of the warp-level loops: out = round(row_scale * channel factors * S + L + bias).
struct MmaEpilogue {
  int m, n, rank;
  const float *row_scale, *weight_scale;  ///< fp32 [M], [N], or nullptr for 1
  const float *channel_scale, *bias;      ///< [N], or nullptr for 1 and 0
  float factor;                           ///< of every sum
  const float* low_rank;
  const uint16_t* up;
  uint16_t* out;
  int64_t low_rank_stride, up_stride, out_stride;
  HalfType up_type, out_type;
};

/// One warp's sums of kRows * 16 rows from `row` on and kCols * 8 columns from `col` on, as mma_accumulator.
template <int kRows, int kCols>
__device__ __forceinline__ void finish_tile(const MmaEpilogue& e, float (&sums)[kRows][kCols][4], int row,
                                            int col) {
  const int lane = threadIdx.x % 32, g = lane / 4, c = lane % 4;
  float by_col[kCols][2], bias[kCols][2];
#pragma unroll
  for (int j = 0; j < kCols; ++j)
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int n = col + 8 * j + 2 * c + i;
      const bool inside = n < e.n;
      by_col[j][i] = e.factor;
      if (inside && e.weight_scale) by_col[j][i] *= __ldg(e.weight_scale + n);
      if (inside && e.channel_scale) by_col[j][i] *= __ldg(e.channel_scale + n);
      bias[j][i] = inside && e.bias ? __ldg(e.bias + n) : 0.0f;
    }
#pragma unroll
  for (int i = 0; i < kRows; ++i)
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int m = row + 16 * i + g + 8 * h;
      const float by_row = e.row_scale && m < e.m ? __ldg(e.row_scale + m) : 1.0f;
#pragma unroll
      for (int j = 0; j < kCols; ++j)
#pragma unroll
        for (int k = 0; k < 2; ++k) sums[i][j][2 * h + k] *= by_row * by_col[j][k];
    }
  for (int r = 0; r < e.rank; r += 8) {
    uint32_t up[kCols][2];
#pragma unroll
    for (int j = 0; j < kCols; ++j)
#pragma unroll
      for (int k = 0; k < 2; ++k) {
        const int n = col + 8 * j + g;
        up[j][k] =
            n < e.n ? bits_of(half_value(e.up_type, __ldg(e.up + n * e.up_stride + r + c + 4 * k))) : 0u;
      }
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      uint32_t high[4], rest[4];  // low_rank as the sum of two tf32 numbers; up is one of them exactly
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const int m = row + 16 * i + g + 8 * (k % 2);
        const float low = m < e.m ? __ldg(e.low_rank + m * e.low_rank_stride + r + c + 4 * (k / 2)) : 0.0f;
        high[k] = bits_of(low) & 0xffffe000u;
        rest[k] = bits_of(low - float_of(high[k]));
      }
#pragma unroll
      for (int j = 0; j < kCols; ++j) {
        mma_tf32(sums[i][j], high, up[j][0], up[j][1]);
        mma_tf32(sums[i][j], rest, up[j][0], up[j][1]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < kRows; ++i)
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int m = row + 16 * i + g + 8 * h;
#pragma unroll
      for (int j = 0; j < kCols; ++j) {
        const int n = col + 8 * j + 2 * c;
        if (m < e.m && n < e.n)
          *reinterpret_cast<uint32_t*>(e.out + m * e.out_stride + n) =
              pack_halves(e.out_type, sums[i][j][2 * h] + bias[j][0], sums[i][j][2 * h + 1] + bias[j][1]);
      }
    }
}

}  // namespace svdlab::device
