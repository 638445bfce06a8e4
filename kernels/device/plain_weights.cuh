#pragma once
#include <cuda_fp8.h>

#include "kernels/device/expand_halves.h"
#include "kernels/device/plain_loop.cuh"
#include "kernels/device/weight_fragments.h"

namespace svdlab::device {

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

  /// Operand A of 16 columns, step `j` (0..3) of the stage.
  __device__ void expand(uint32_t (&a)[4], int j) const {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const __half2 scale = scale_of(ahead_[0], i);
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const __half2 value = __hmul2(codes_of(ahead_[0].words[j / 2 * 2 + i], j % 2 * 2 + h), scale);
        memcpy(&a[i + 2 * h], &value, 4);
      }
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
    const int channel = tiles_.at(index_).channel;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      rows_[i] = min(channel + self_.row() + 8 * i, p_.n - 1);  // those beyond are not stored
      if constexpr (!kNvfp4) inverse_[i] = kInt4HalfLift * inverse_of(__ldg(p_.weight_powers + rows_[i]));
    }
    if constexpr (!kNvfp4) {
      const int last = static_cast<int>(pieces_of(p_.n, 64)) - 1;
      tile_ = p_.codes + static_cast<int64_t>(min(channel / 64 + self_.warpgroup, last)) * p_.groups * 2048 +
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
      const int c = self_.lane % 4;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const uint2 two =
            __ldg(reinterpret_cast<const uint2*>(p_.codes + rows_[i] * p_.code_stride + 32 * step_ + 8 * c));
        raw.words[i] = two.x, raw.words[2 + i] = two.y;
        raw.scales[i] = __ldg(p_.scales + rows_[i] * p_.scale_stride + 4 * step_ + c);
      }
    } else {
      const uint4 four = __ldg(reinterpret_cast<const uint4*>(tile_ + static_cast<int64_t>(step_) * 2048));
      raw.words[0] = four.x, raw.words[1] = four.y, raw.words[2] = four.z, raw.words[3] = four.w;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        raw.scales[i] =
            __ldg(reinterpret_cast<const uint16_t*>(p_.scales) + step_ * p_.scale_stride + rows_[i]);
        raw.inverse[i] = inverse_[i];
      }
    }
    if (++step_ == p_.groups) index_ += tiles_.step(), enter_tile();
  }

  static __device__ __half2 scale_of(const Raw& raw, int i) {
    if constexpr (kNvfp4) {
      const __half_raw value = __nv_cvt_fp8_to_halfraw(static_cast<uint8_t>(raw.scales[i]), __NV_E4M3);
      return __half2half2(__hmul(__half(value), __float2half(kE4M3HalfLift)));
    } else {
      return __float2half2_rn(float_of(raw.scales[i] << 16) * raw.inverse[i]);
    }
  }

  // Nibbles q and q + 4 of a word.
  static __device__ __half2 codes_of(uint32_t word, int q) {
    const uint32_t pair = kNvfp4 ? e2m1_as_half2(word, q) : int4_plus_excess(HalfType::kFp16, word, q);
    __half2 value;
    memcpy(&value, &pair, 4);
    if constexpr (kNvfp4) return value;
    return __hsub2(value, __float2half2_rn(int4_excess(HalfType::kFp16)));
  }

  const PlainParameters& p_;
  const Tiles tiles_;
  const PlainThread self_;
  int index_, step_ = 0, rows_[2];
  const uint8_t* tile_ = nullptr;
  float inverse_[2];
  Raw ahead_[kAhead] = {};
};

}  // namespace svdlab::device
