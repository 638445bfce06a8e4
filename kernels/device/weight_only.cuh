#pragma once
#include "kernels/device/half.cuh"
#include "kernels/device/half_codes.h"

namespace svdlab::device {

// Y^T = W X^T by mma m16n8k16: operand A is 16 rows of the weights, B 8 tokens. Lane c of a quad takes
// columns 16 c .. 16 c + 15 of each group of 64, of every row of both operands; a step of 16 columns takes
// four of them from each lane. Codes are exact, scales are applied in fp32 after each group.

struct WeightOnlyParameters {
  const uint16_t* x;
  int64_t x_stride;
  int m, n, groups, rank;
  const uint8_t* codes;
  int64_t code_stride;
  const uint16_t* scales;
  int64_t scale_stride;
  const float *divide_by, *bias, *low_rank;
  int64_t low_rank_stride;
  const uint16_t* up;
  int64_t up_stride;
  HalfType up_type;
  uint16_t* out;
  int64_t out_stride;
  float nf4[16];
};

/// The high and the low part of an nf4 value, as two 16-bit numbers.
template <HalfType kType>
__device__ uint32_t nf4_parts(float value) {
  const uint32_t high = pack_halves<kType>(value, 0.0f) & 0xffffu;
  return high | pack_halves<kType>(0.0f, value - unpack_halves<kType>(high).x);
}

/// Columns 16 (lane % 4) .. + 15 of group g of x / divide_by for one token, as eight pairs in the order of
/// the codes; zeros beyond the last token.
template <HalfType kType>
__device__ void token_pairs(const WeightOnlyParameters& p, int token, int g, int lane, uint32_t (&pairs)[8]) {
  const int column = 64 * g + 16 * (lane % 4);
  if (token >= p.m) {
#pragma unroll
    for (uint32_t& pair : pairs) pair = 0;
    return;
  }
  const auto* from = reinterpret_cast<const uint4*>(p.x + token * p.x_stride + column);
  const uint4 a = __ldg(from), b = __ldg(from + 1);
  uint32_t x[8] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
  if (p.divide_by)
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const float2 v = unpack_halves<kType>(x[i]);
      const float* by = p.divide_by + column + 2 * i;
      x[i] = pack_halves<kType>(__fdiv_rn(v.x, __ldg(by)), __fdiv_rn(v.y, __ldg(by + 1)));
    }
    // Words hold columns 2 i and 2 i + 1; the codes come as columns i and i + 4 of each eight.
#pragma unroll
  for (int half = 0; half < 2; ++half)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const uint32_t low = x[4 * half + i / 2], high = x[4 * half + 2 + i / 2];
      pairs[4 * half + i] = __byte_perm(low, high, i % 2 ? 0x7632 : 0x5410);
    }
}

/// Pair `i` of eight codes as 16-bit numbers; with nf4, whose values have two parts, *rest is the low one.
template <HalfType kType, bool kNf4>
__device__ __forceinline__ uint32_t weight_pair(const uint32_t* nf4, uint32_t word, int i, uint32_t* rest) {
  if constexpr (kNf4) {
    const uint32_t a = nf4[word >> (4 * i) & 15u], b = nf4[word >> (4 * i + 16) & 15u];
    *rest = __byte_perm(a, b, 0x7632);
    return __byte_perm(a, b, 0x5410);
  }
  const uint32_t raised = int4_plus_excess(kType, word, i);
  uint32_t out;
  if constexpr (kType == HalfType::kBf16) {
    __nv_bfloat162 pair;
    memcpy(&pair, &raised, 4);
    pair = __hsub2(pair, __float2bfloat162_rn(int4_excess(kType)));
    memcpy(&out, &pair, 4);
  } else {
    __half2 pair;
    memcpy(&pair, &raised, 4);
    pair = __hsub2(pair, __float2half2_rn(int4_excess(kType)));
    memcpy(&out, &pair, 4);
  }
  return out;
}

/// Operand A of the four steps of a group, from 16 codes of rows lane / 4 and lane / 4 + 8.
template <HalfType kType, bool kNf4>
__device__ __forceinline__ void weight_operands(const uint32_t* nf4, const uint2 (&codes)[2],
                                                uint32_t (&a)[4][4], uint32_t (&rest)[4][4]) {
#pragma unroll
  for (int step = 0; step < 4; ++step)
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const uint2 row = codes[k % 2];
      a[step][k] =
          weight_pair<kType, kNf4>(nf4, step < 2 ? row.x : row.y, step % 2 * 2 + k / 2, &rest[step][k]);
    }
}

/// The low-rank branch and the bias join the sum over K, which is rounded and stored.
template <HalfType kType>
__device__ __forceinline__ void store_output(const WeightOnlyParameters& p, int token, int channel,
                                             float sum) {
  float low = 0;
  for (int r = 0; r < p.rank; ++r)
    low += p.low_rank[token * p.low_rank_stride + r] * half_value(p.up_type, p.up[channel * p.up_stride + r]);
  sum += low + (p.bias ? p.bias[channel] : 0.0f);
  p.out[token * p.out_stride + channel] = static_cast<uint16_t>(pack_halves<kType>(sum, 0.0f));
}

}  // namespace svdlab::device
