#pragma once
#include "kernels/device/quantize_group.cuh"
#include "kernels/device/quantize_parameters.h"
#include "kernels/device/quantize_pieces.h"

namespace svdlab::device {

// quantize_matrix's arithmetic to the last bit, for what the short form leaves open and for inputs without a
// divisor, of which many lie on a tie.

inline constexpr unsigned kAllLanes = 0xffffffffu;

/// 16 successive columns of a row, two a word.
struct SliceRow {
  uint32_t words[8];
};

/// near_inverse, or NaN where divide_by_inverse does not serve.
__device__ __forceinline__ float safe_inverse(float x) {
  return in_fast_range(x) ? near_inverse(x) : not_a_number();
}

/// x + shift.
template <HalfType kType>
__device__ __forceinline__ void unpack_row(const uint32_t (&words)[8], float shift, float (&v)[16]) {
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const float2 pair = unpack_halves<kType>(words[i]);
    v[2 * i] = pair.x;
    v[2 * i + 1] = pair.y;
  }
  if (shift == 0) return;
#pragma unroll
  for (float& x : v) x += shift;
}

/// The largest of the four lanes that hold a row of a group, or NaN.
__device__ __forceinline__ float quad_amax(float amax) {
  amax = max_or_nan(amax, __shfl_xor_sync(kAllLanes, amax, 1));
  return max_or_nan(amax, __shfl_xor_sync(kAllLanes, amax, 2));
}

/// The larger of `amax` and the largest |v| of the group that the lane's values belong to; NaN or infinity if
/// one of them is not finite.
template <QuantizeKind kKind>
__device__ __forceinline__ float group_amax(const float (&v)[16], float amax) {
#pragma unroll
  for (int i = 0; i < 16; ++i) amax = max_or_nan(amax, fabsf(v[i]));
  return kKind == QuantizeKind::kInteger4 ? quad_amax(amax) : amax;
}

/// The largest |v|, or for unsigned codes v, of the group, or with kInt8 of the lane's 16 values; NaN or
/// infinity if one is not finite.
template <QuantizeKind kKind>
__device__ __forceinline__ float exact_amax(bool is_unsigned, float (&v)[16]) {
  float amax = group_amax<kKind>(v, 0.0f);
  if (kKind == QuantizeKind::kInteger4 && is_unsigned && amax < float_of(0x7f800000u)) {
    float positive[16];
#pragma unroll
    for (int i = 0; i < 16; ++i) positive[i] = fmaxf(v[i], 0.0f);
    amax = group_amax<kKind>(positive, 0.0f);
  }
  return amax;
}

/// What a function returns stays in registers where it is not called; an array passed to it would not.
struct RowValues {
  float v[16];
};

template <HalfType kType>
__device__ __noinline__ RowValues divide_truly(float shift, const float* divisors, const SliceRow& x) {
  RowValues out;
  unpack_row<kType>(x.words, shift, out.v);
#pragma unroll
  for (int i = 0; i < 16; ++i) out.v[i] = __fdiv_rn(out.v[i] + 0.0f, divisors[i]);
  return out;
}

/// v = (x + shift) / divide_by of the lane's columns, from `column` on, and exact_amax. All lanes of the warp
/// call it.
template <HalfType kType, QuantizeKind kKind>
__device__ __forceinline__ float exact_values(const QuantizeParameters& p, const uint8_t* stage, int column,
                                              const SliceRow& x, float (&v)[16]) {
  unpack_row<kType>(x.words, p.shift, v);
  if (!p.divide_by) return exact_amax<kKind>(p.is_unsigned, v);
  const auto* quads = reinterpret_cast<const float4*>(stage + StagePlaces::kInverses) + column % 64 / 4;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float4 by = __ldg(reinterpret_cast<const float4*>(p.divide_by + column) + i), inverse = quads[i];
    const float divisors[4] = {by.x, by.y, by.z, by.w};
    const float inverses[4] = {inverse.x, inverse.y, inverse.z, inverse.w};
#pragma unroll
    for (int e = 0; e < 4; ++e)  // -0 becomes 0
      v[4 * i + e] = divide_by_inverse(v[4 * i + e] + 0.0f, divisors[e], inverses[e]);
  }
  const float amax = exact_amax<kKind>(p.is_unsigned, v);
  if (__all_sync(kAllLanes, in_fast_range(amax))) return amax;
  const RowValues divided = divide_truly<kType>(p.shift, p.divide_by + column, x);
#pragma unroll
  for (int i = 0; i < 16; ++i) v[i] = divided.v[i];
  return exact_amax<kKind>(p.is_unsigned, v);
}

/// Codes and scale of a row. All lanes of the warp call it.
template <HalfType kType, QuantizeKind kKind>
__device__ __noinline__ RowCodes quantize_exactly(const QuantizeParameters& p, const uint8_t* stage,
                                                  int column, SliceRow x, float token_scale) {
  constexpr bool kPerToken = kKind == QuantizeKind::kInt8;
  float v[16];
  const float amax = exact_values<kType, kKind>(p, stage, column, x, v);
  const float scale = kPerToken ? token_scale : group_scale<kKind>(p.is_unsigned, amax);
  const float factor = range_factor(kPerToken ? scale : amax);
#pragma unroll
  for (float& value : v) {
    value *= factor;
    if (kKind == QuantizeKind::kInteger4 && p.is_unsigned) value = fmaxf(value, 0.0f);
  }
  uint32_t unsure = 0;
  return {short_codes<kKind>(p.layout, v, true, scale * factor, &unsure), scale};
}

}  // namespace svdlab::device
