#pragma once
#include <cuda_fp8.h>

#include "kernels/device/exact_division.h"
#include "kernels/device/half.cuh"
#include "kernels/packed_matrix.h"

namespace svdlab::device {

// The arithmetic of quantize_matrix for what one thread holds of a row: 16 successive columns. The four lanes
// of a quad hold the 64 columns of a group.

struct QuantizeFormat {
  NumberFormat format;
  CodeLayout layout;
  const float* divide_by;
  float shift;
};

__device__ __forceinline__ float largest_code(NumberFormat format) {
  switch (format) {
    case NumberFormat::kUint4:
      return 15.0f;
    case NumberFormat::kInt8:
      return 127.0f;
    case NumberFormat::kFp4E2M1:
      return 6.0f;
    default:
      return 7.0f;
  }
}

__device__ __forceinline__ float not_a_number() { return float_of(0x7fffffffu); }

/// quantize_matrix's scale of a group; NaN where amax is not finite.
/// @tparam kClip  false where the limits of fp32 and bf16 scales are far away: in_fast_range(amax).
template <bool kClip>
__device__ __forceinline__ float group_scale(NumberFormat format, float amax) {
  if (!(amax < float_of(0x7f800000u))) return not_a_number();
  const float largest = largest_code(format), exact = __fdiv_rn(amax, largest);
  // A scale whose product with the largest code is finite.
  const float top = kClip ? __fdiv_rn(float_of(0x7f7fffffu), largest) : 0.0f;
  switch (format) {
    case NumberFormat::kFp4E2M1: {
      const __nv_fp8_storage_t code = __nv_cvt_float_to_fp8(exact, __NV_SATFINITE, __NV_E4M3);
      return fmaxf(__half2float(__half(__nv_cvt_fp8_to_halfraw(code, __NV_E4M3))), 0x1p-9f);
    }
    case NumberFormat::kInt8:
      return kClip ? fminf(fmaxf(exact, 0x1p-126f), float_of(bits_of(top) - 1)) : exact;
    default: {
      const float rounded = __bfloat162float(__float2bfloat16_rn(exact));
      if (!kClip) return rounded;
      return fminf(fmaxf(rounded, 0x1p-126f), float_of((bits_of(top) - 1) & 0xffff0000u));
    }
  }
}

/// v / scale as a number that the code's encoder rounds right, clipped only where `clip`: a group whose scale
/// is the rounded quotient of its own amax never needs it, but for unsigned codes below zero.
template <bool kClip>
__device__ __forceinline__ float quotient(NumberFormat format, float v, float scale, float inverse) {
  if constexpr (kClip) {
    const float largest = largest_code(format), lowest = format == NumberFormat::kUint4 ? 0.0f : -largest;
    return fminf(fmaxf(__fdiv_rn(v, scale), lowest), largest);
  }
  const float q = divide_by_inverse(v, scale, inverse);
  return format == NumberFormat::kUint4 ? fmaxf(q, 0.0f) : q;
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

/// Writes the codes of 16 columns to `row`, the row's codes, whose columns begin at `col`, a multiple of 16.
template <bool kClip>
__device__ __forceinline__ void store_codes(const QuantizeFormat& f, const float (&v)[16], float scale,
                                            uint8_t* row, int64_t col) {
  const float inverse = near_inverse(scale);
  if (f.layout == CodeLayout::kE4M3) {
    uint32_t words[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float r[4];
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const float q = quotient<kClip>(f.format, v[4 * i + e], scale, inverse);
        r[e] = f.format == NumberFormat::kFp4E2M1 ? e2m1_value(e2m1_code(q)) : rounded(q);
      }
      words[i] = e4m3_bytes(r[0], r[1], r[2], r[3]);
    }
    *reinterpret_cast<uint4*>(row + col) = {words[0], words[1], words[2], words[3]};
    return;
  }
  uint32_t codes[2][8];
#pragma unroll
  for (int i = 0; i < 16; ++i) {
    const float q = quotient<kClip>(f.format, v[i], scale, inverse);
    codes[i / 8][i % 8] = f.format == NumberFormat::kFp4E2M1 ? e2m1_code(q) : rounded_bits(q);
  }
  if (f.layout == CodeLayout::kNibbles) {
    *reinterpret_cast<uint2*>(row + col / 2) = {low_nibbles(codes[0]), low_nibbles(codes[1])};
    return;
  }
  uint32_t words[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const uint32_t* c = &codes[i / 2][i % 2 * 4];
    words[i] = low_bytes(c[0], c[1], c[2], c[3]);
  }
  *reinterpret_cast<uint4*>(row + col) = {words[0], words[1], words[2], words[3]};
}

}  // namespace svdlab::device
