#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "kernels/device/encode.h"
#include "kernels/half.h"

namespace svdlab::device {

/// The two numbers of a word of two 16-bit ones, the lower half first.
template <HalfType kType>
__device__ __forceinline__ float2 unpack_halves(uint32_t word) {
  if constexpr (kType == HalfType::kBf16) return {float_of(word << 16), float_of(word & 0xffff0000u)};
  __half2 pair;
  memcpy(&pair, &word, 4);
  return __half22float2(pair);
}

/// Round to nearest even; `low` goes to the lower half.
template <HalfType kType>
__device__ __forceinline__ uint32_t pack_halves(float low, float high) {
  uint32_t word;
  if constexpr (kType == HalfType::kBf16) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    memcpy(&word, &pair, 4);
  } else {
    const __half2 pair = __floats2half2_rn(low, high);
    memcpy(&word, &pair, 4);
  }
  return word;
}

__device__ __forceinline__ uint32_t pack_halves(HalfType type, float low, float high) {
  return type == HalfType::kBf16 ? pack_halves<HalfType::kBf16>(low, high)
                                 : pack_halves<HalfType::kFp16>(low, high);
}

__device__ __forceinline__ float half_value(HalfType type, uint16_t bits) {
  return type == HalfType::kBf16 ? float_of(static_cast<uint32_t>(bits) << 16)
                                 : __half2float(__ushort_as_half(bits));
}

/// The larger, NaN if one is.
__device__ __forceinline__ float max_or_nan(float a, float b) {
  float out;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(out) : "f"(a), "f"(b));
  return out;
}

/// 1 / x within an ulp; infinite for a subnormal x, 0 where the result would be subnormal.
__device__ __forceinline__ float near_inverse(float x) {
  float out;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x));
  return out;
}

/// 2^x within two ulps; x from -126 on.
__device__ __forceinline__ float near_power_of_two(float x) {
  float out;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x));
  return out;
}

}  // namespace svdlab::device
