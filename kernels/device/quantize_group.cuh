#pragma once
#include <cuda_fp8.h>

#include "kernels/device/exact_division.h"
#include "kernels/device/half.cuh"
#include "kernels/packed_matrix.h"

namespace svdlab::device {

// The arithmetic of quantize_matrix for what one thread holds of a row: 16 successive columns. The four lanes
// of a quad hold the 64 columns of a group.

/// What a kernel is compiled for: int4 and uint4 share their code.
enum class QuantizeKind { kInteger4, kE2M1, kInt8 };

template <QuantizeKind kKind>
__device__ __forceinline__ float largest_code(bool is_unsigned) {
  if constexpr (kKind == QuantizeKind::kE2M1) return 6.0f;
  if constexpr (kKind == QuantizeKind::kInt8) return 127.0f;
  return is_unsigned ? 15.0f : 7.0f;
}

__device__ __forceinline__ float not_a_number() { return float_of(0x7fffffffu); }

/// quantize_matrix's scale of a group; NaN where amax is not finite.
template <QuantizeKind kKind>
__device__ __forceinline__ float group_scale(bool is_unsigned, float amax) {
  if (!(amax < float_of(0x7f800000u))) return not_a_number();
  const float exact = __fdiv_rn(amax, largest_code<kKind>(is_unsigned));
  if constexpr (kKind == QuantizeKind::kE2M1) {
    const __nv_fp8_storage_t code = __nv_cvt_float_to_fp8(exact, __NV_SATFINITE, __NV_E4M3);
    return fmaxf(__half2float(__half(__nv_cvt_fp8_to_halfraw(code, __NV_E4M3))), 0x1p-9f);
  } else if constexpr (kKind == QuantizeKind::kInt8) {
    // The largest scale whose product with 127 is surely finite.
    return fminf(fmaxf(exact, 0x1p-126f), float_of(bits_of(3.40282347e38f / 127.0f) - 1));
  } else {
    const uint32_t top = bits_of(is_unsigned ? 3.40282347e38f / 15.0f : 3.40282347e38f / 7.0f) - 1;
    const float rounded = __bfloat162float(__float2bfloat16_rn(exact));
    return fminf(fmaxf(rounded, 0x1p-126f), float_of(top & 0xffff0000u));
  }
}

/// The same where in_fast_range(amax): no limit is near, and the division is short.
template <QuantizeKind kKind>
__device__ __forceinline__ float usual_group_scale(bool is_unsigned, float amax) {
  const float exact =
      is_unsigned ? divide_by_inverse(amax, 15.0f, 1.0f / 15.0f)
                  : divide_by_inverse(amax, largest_code<kKind>(false), 1.0f / largest_code<kKind>(false));
  if constexpr (kKind == QuantizeKind::kE2M1) {
    const __nv_fp8_storage_t code = __nv_cvt_float_to_fp8(exact, __NV_SATFINITE, __NV_E4M3);
    return fmaxf(__half2float(__half(__nv_cvt_fp8_to_halfraw(code, __NV_E4M3))), 0x1p-9f);
  }
  return kKind == QuantizeKind::kInt8 ? exact : __bfloat162float(__float2bfloat16_rn(exact));
}

/// A power of two that brings a group with that amax to where divide_by_inverse serves.
__device__ __forceinline__ float range_factor(float amax) {
  return amax > 0x1p60f ? 0x1p-64f : amax < 0x1p-60f ? 0x1p64f : 1.0f;
}

__device__ __forceinline__ float e2m1_value(uint32_t code) {
  const uint32_t m = code & 7u;
  const float magnitude = m < 2 ? 0.5f * m : (1.0f + 0.5f * (m & 1u)) * (1 << (m / 2 - 1));
  return code & 8u ? -magnitude : magnitude;
}

__device__ __forceinline__ uint32_t e4m3_bytes(float a, float b, float c, float d) {
  const uint32_t low = __nv_cvt_float2_to_fp8x2({a, b}, __NV_SATFINITE, __NV_E4M3);
  const uint32_t high = __nv_cvt_float2_to_fp8x2({c, d}, __NV_SATFINITE, __NV_E4M3);
  return low | high << 16;
}

/// Writes the codes of v / scale, 16 columns, to `row`, the row's codes, from column `col` on, a multiple of
/// 16. v and scale are in the range of divide_by_inverse. A group whose scale is the rounded quotient of its
/// own amax never has a code to clip, but for unsigned ones below zero.
template <QuantizeKind kKind>
__device__ __forceinline__ void store_codes(CodeLayout layout, bool is_unsigned, const float (&v)[16],
                                            float scale, uint8_t* row, int64_t col) {
  const float inverse = near_inverse(scale);
  float q[16];
#pragma unroll
  for (int i = 0; i < 16; ++i) q[i] = divide_by_inverse(v[i], scale, inverse);
  if (kKind == QuantizeKind::kInteger4 && is_unsigned)
#pragma unroll
    for (int i = 0; i < 16; ++i) q[i] = fmaxf(q[i], 0.0f);
  uint32_t words[4];
  if (kKind != QuantizeKind::kInt8 && layout == CodeLayout::kE4M3) {
#pragma unroll
    for (int i = 0; i < 16; ++i)
      q[i] = kKind == QuantizeKind::kE2M1 ? e2m1_value(e2m1_code(q[i])) : rounded(q[i]);
#pragma unroll
    for (int i = 0; i < 4; ++i) words[i] = e4m3_bytes(q[4 * i], q[4 * i + 1], q[4 * i + 2], q[4 * i + 3]);
    *reinterpret_cast<uint4*>(row + col) = {words[0], words[1], words[2], words[3]};
    return;
  }
  uint32_t codes[2][8];
#pragma unroll
  for (int i = 0; i < 16; ++i)
    codes[i / 8][i % 8] = kKind == QuantizeKind::kE2M1 ? e2m1_code(q[i]) : rounded_bits(q[i]);
  if constexpr (kKind != QuantizeKind::kInt8) {
    *reinterpret_cast<uint2*>(row + col / 2) = {low_nibbles(codes[0]), low_nibbles(codes[1])};
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const uint32_t* c = &codes[i / 2][i % 2 * 4];
      words[i] = low_bytes(c[0], c[1], c[2], c[3]);
    }
    *reinterpret_cast<uint4*>(row + col) = {words[0], words[1], words[2], words[3]};
  }
}

}  // namespace svdlab::device
