#pragma once
#include <cuda_fp8.h>

#include "kernels/device/expand_halves.h"
#include "kernels/device/plain_loop.cuh"

namespace svdlab::device {

__device__ __forceinline__ __half2 half2_of(uint32_t bits) {
  __half2 out;
  memcpy(&out, &bits, 4);
  return out;
}

/// One thread's weights, from memory straight to the registers of operand A: codes times scales as fp16. It
/// walks the stages of all tiles of the block, with the loads of kAhead stages under way.
template <class Shape>
class PlainWeights {
  static constexpr bool kNvfp4 = Shape::kKind == PlainKind::kNvfp4;
  static constexpr int kAhead = 2;
  using Tiles = PlainTiles<Shape>;

 public:
  __device__ PlainWeights(const PlainParameters& p, const PlainThread& self)
      : p_(p), tiles_(p), self_(self), index_(tiles_.first()) {
    enter_tile();
#pragma unroll
    for (int i = 0; i < kAhead; ++i) fetch(i);
  }

  /// Operand A of 16 columns, step `j` (0..3) of the stage; step 0 first.
  __device__ void expand(uint32_t (&a)[4], int j) {
    if (j == 0) make_scales();
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const __half2 value = value_of(ahead_[0].words[j / 2 * 2 + i], j % 2 * 2 + h, i);
        memcpy(&a[i + 2 * h], &value, 4);
      }
  }

  /// On to the next stage.
  __device__ void advance() {
#pragma unroll
    for (int i = 0; i + 1 < kAhead; ++i) ahead_[i] = ahead_[i + 1];
    fetch(kAhead - 1);
  }

 private:
  // Of one stage: word 2 s + i is of row i (of two), half s of the columns; a scale of each row.
  struct Raw {
    uint32_t words[4];
    uint32_t scales[2];
    float inverse[2];
  };

  __device__ void enter_tile() {
    step_ = 0;
    if (index_ >= tiles_.count()) return;
    const int channel = tiles_.at(index_).channel, c = self_.lane % 4;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int64_t row = min(channel + self_.row() + 8 * i, p_.n - 1);  // those beyond are not stored
      if constexpr (kNvfp4) {
        codes_[i] = p_.codes + row * p_.code_stride + 8 * c;
        row_scales_[i] = p_.scales + row * p_.scale_stride + c;
      } else {
        row_scales_[i] = p_.scales + 2 * row;
        inverse_[i] = kInt4HalfLift * inverse_of(__ldg(p_.weight_powers + row));
      }
    }
    if constexpr (!kNvfp4) {
      const int last = static_cast<int>(pieces_of(p_.n, 64)) - 1;
      codes_[0] = p_.codes +
                  static_cast<int64_t>(min(channel / 64 + self_.warpgroup, last)) * p_.groups * 2048 +
                  16 * self_.thread;
    }
  }

  // 1 / power; 0 for a row of zeros.
  static __device__ float inverse_of(float power) {
    return power > 0 ? float_of(0x7f000000u - bits_of(power)) : 0.0f;
  }

  __device__ void fetch(int to) {
    if (index_ >= tiles_.count()) return;
    Raw& raw = ahead_[to];
    if constexpr (kNvfp4) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const uint2 two = __ldg(reinterpret_cast<const uint2*>(codes_[i]));
        raw.words[i] = two.x, raw.words[2 + i] = two.y;
        raw.scales[i] = __ldg(row_scales_[i]);
        codes_[i] += 32, row_scales_[i] += 4;
      }
    } else {
      const uint4 four = __ldg(reinterpret_cast<const uint4*>(codes_[0]));
      raw.words[0] = four.x, raw.words[1] = four.y, raw.words[2] = four.z, raw.words[3] = four.w;
      codes_[0] += 2048;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        raw.scales[i] = __ldg(reinterpret_cast<const uint16_t*>(row_scales_[i]));
        raw.inverse[i] = inverse_[i];
        row_scales_[i] += 2 * p_.scale_stride;
      }
    }
    if (++step_ == p_.groups) index_ += tiles_.step(), enter_tile();
  }

  __device__ void make_scales() {
    const Raw& raw = ahead_[0];
    if constexpr (kNvfp4) {
      const __half2_raw pair = __nv_cvt_fp8x2_to_halfraw2(
          static_cast<__nv_fp8x2_storage_t>(raw.scales[0] | raw.scales[1] << 8), __NV_E4M3);
      const __half2 two = __hmul2(__half2(pair), __float2half2_rn(kE4M3HalfLift));
      scales_[0] = __low2half2(two), scales_[1] = __high2half2(two);
    } else {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        scales_[i] = __float2half2_rn(float_of(raw.scales[i] << 16) * raw.inverse[i]);
        excess_[i] = __hmul2(scales_[i], __float2half2_rn(-kInt4SmallExcess));
      }
    }
  }

  // Nibbles q and q + 4 of a word of row i, times the row's scale.
  __device__ __half2 value_of(uint32_t word, int q, int i) const {
    if constexpr (kNvfp4) return __hmul2(half2_of(e2m1_as_half2(word, q)), scales_[i]);
    return __hfma2(half2_of(int4_plus_small_excess(word, q)), scales_[i], excess_[i]);
  }

  const PlainParameters& p_;
  const Tiles tiles_;
  const PlainThread self_;
  int index_, step_ = 0;
  const uint8_t *codes_[2], *row_scales_[2];  // of the next stage to fetch
  float inverse_[2];
  Raw ahead_[kAhead] = {};
  __half2 scales_[2], excess_[2];  // of the stage's two rows
};

}  // namespace svdlab::device
