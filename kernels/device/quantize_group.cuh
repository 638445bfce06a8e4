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

/// The short forms of this file leave out the last steps of two divisions. Their results lie within 3.5 *
/// 2^-23 of the long ones, relatively; what comes out the same from both ends of this interval is certain.
inline constexpr float kSlack = 0x1.8p-21f;

/// group_scale of an amax that may be off by 1.5 ulp; false where it is not certain.
template <QuantizeKind kKind>
__device__ __forceinline__ bool short_group_scale(bool is_unsigned, float amax, float* scale) {
  const float part = is_unsigned ? 1.0f / 15.0f : 1.0f / largest_code<kKind>(false);
  const float low = amax * (part * (1.0f - kSlack)), high = amax * (part * (1.0f + kSlack));
  if constexpr (kKind == QuantizeKind::kE2M1) {
    const uint32_t codes = __nv_cvt_float2_to_fp8x2({low, high}, __NV_SATFINITE, __NV_E4M3);
    const auto code = static_cast<__nv_fp8_storage_t>(codes & 0xffu);
    *scale = fmaxf(__half2float(__half(__nv_cvt_fp8_to_halfraw(code, __NV_E4M3))), 0x1p-9f);
    return (codes & 0xffu) == codes >> 8 && in_fast_range(amax);
  } else {
    const uint32_t pair = pack_halves<HalfType::kBf16>(low, high);
    *scale = float_of(pair & 0xffff0000u);
    return (pair & 0xffffu) == pair >> 16 && in_fast_range(amax);
  }
}

/// A power of two that brings a group with that amax to where divide_by_inverse serves.
__device__ __forceinline__ float range_factor(float amax) {
  return amax > 0x1p60f ? 0x1p-64f : amax < 0x1p-60f ? 0x1p64f : 1.0f;
}

__device__ __forceinline__ uint32_t e4m3_bytes(float a, float b, float c, float d) {
  const uint32_t low = __nv_cvt_float2_to_fp8x2({a, b}, __NV_SATFINITE, __NV_E4M3);
  const uint32_t high = __nv_cvt_float2_to_fp8x2({c, d}, __NV_SATFINITE, __NV_E4M3);
  return low | high << 16;
}

/// What is stored for 16 codes: as many of the words as the layout needs, the first ones.
struct CodeWords {
  uint32_t words[4];
};

/// Of one row.
struct RowCodes {
  CodeWords codes;
  float scale;
};

__device__ __forceinline__ void store_words(CodeLayout layout, const CodeWords& w, uint8_t* to) {
  if (layout == CodeLayout::kNibbles)
    __stcg(reinterpret_cast<uint2*>(to), uint2{w.words[0], w.words[1]});
  else
    __stcg(reinterpret_cast<uint4*>(to), uint4{w.words[0], w.words[1], w.words[2], w.words[3]});
}

/// Integers as results of adding kRoundingMagic.
template <QuantizeKind kKind>
__device__ __forceinline__ CodeWords integer_words(CodeLayout layout, const float (&r)[16]) {
  CodeWords out{};
  if (kKind == QuantizeKind::kInteger4 && layout == CodeLayout::kE4M3) {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      out.words[i] = e4m3_bytes(r[4 * i] - kRoundingMagic, r[4 * i + 1] - kRoundingMagic,
                                r[4 * i + 2] - kRoundingMagic, r[4 * i + 3] - kRoundingMagic);
    return out;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float* c = &r[4 * i];
    out.words[i] = low_bytes(bits_of(c[0]), bits_of(c[1]), bits_of(c[2]), bits_of(c[3]));
  }
  if constexpr (kKind == QuantizeKind::kInt8) return out;
  out.words[0] = nibbles_of_bytes(out.words[0], out.words[1]);
  out.words[1] = nibbles_of_bytes(out.words[2], out.words[3]);
  return out;
}

/// Numbers of e2m1.
__device__ __forceinline__ CodeWords e2m1_words(CodeLayout layout, const float (&v)[16]) {
  CodeWords out{};
  const float unit = layout == CodeLayout::kE4M3 ? 1.0f : kE2M1ByteUnit;
#pragma unroll
  for (int i = 0; i < 4; ++i)
    out.words[i] = e4m3_bytes(v[4 * i] * unit, v[4 * i + 1] * unit, v[4 * i + 2] * unit, v[4 * i + 3] * unit);
  if (layout == CodeLayout::kE4M3) return out;
#pragma unroll
  for (uint32_t& word : out.words) word = e2m1_of_bytes(word);
  out.words[0] = nibbles_of_bytes(out.words[0], out.words[1]);
  out.words[1] = nibbles_of_bytes(out.words[2], out.words[3]);
  return out;
}

/// A rounded quotient as a number of e2m1, whose largest is 6; -0 has a code of its own.
__device__ __forceinline__ float e2m1_number(float rounded, float signed_as) {
  const uint32_t magnitude = bits_of(fminf(fabsf(rounded), 6.0f));
  return float_of(magnitude | (bits_of(signed_as) & 0x80000000u));
}

/// A quotient as e2m1_words or integer_words wants it.
template <QuantizeKind kKind>
__device__ __forceinline__ float rounded_to_code(float q) {
  if constexpr (kKind != QuantizeKind::kE2M1) return q + kRoundingMagic;
  const float magic = e2m1_magic(q);
  return e2m1_number((q + magic) - magic, q);
}

/// Codes of v / scale, 16 columns, where in_fast_range holds. Where v is `exact` so are they; else v may be
/// off by 1.5 ulp, and *unsure becomes 0 only if all are certain. For unsigned codes no v is below zero. A
/// group whose scale is the rounded quotient of its own amax has no code to clip.
template <QuantizeKind kKind>
__device__ __forceinline__ CodeWords short_codes(CodeLayout layout, float (&v)[16], bool exact, float scale,
                                                 uint32_t* unsure) {
  const float inverse = near_inverse(scale);
  const float low = inverse * (1.0f - kSlack), high = inverse * (1.0f + kSlack);
  if (exact) {
#pragma unroll
    for (float& x : v) x = rounded_to_code<kKind>(divide_by_inverse(x, scale, inverse));
  } else {
#pragma unroll
    for (float& x : v) {
      const float magic = kKind == QuantizeKind::kE2M1 ? e2m1_magic(x * inverse) : kRoundingMagic;
      const float r = fmaf(x, high, magic);
      *unsure |= bits_of(r) ^ bits_of(fmaf(x, low, magic));
      x = kKind == QuantizeKind::kE2M1 ? e2m1_number(r - magic, x) : r;
    }
  }
  if constexpr (kKind == QuantizeKind::kE2M1) return e2m1_words(layout, v);
  return integer_words<kKind>(layout, v);
}

}  // namespace svdlab::device
