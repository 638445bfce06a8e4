#pragma once
#include "kernels/device/exact_loop.cuh"

namespace svdlab::device {

/// What the exact loop does with the sums of a tile: scales, the low-rank branch, bias, norm and rope,
/// output.
template <class Shape>
class ExactEpilogue {
  static constexpr int kTokens = kExactTokens;
  using Tile = typename ExactTiles<Shape>::Tile;

 public:
  __device__ ExactEpilogue(const ExactParameters& p, ExactShared& shared) : p_(p), shared_(shared) {}

  /// What the epilogue multiplies and adds by channel: loaded before the products, used behind them.
  struct Channels {
    int row;  ///< and row + 8
    float factor[2] = {}, bias[2] = {};
  };

  __device__ Channels channels(const ExactConsumer& self, Tile at) const {
    Channels c{.row = at.channel + 64 * self.warpgroup + 16 * self.warp + self.lane / 4};
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int channel = c.row + 8 * h;
      if (channel >= p_.n) continue;
      c.factor[h] =
          __ldg(p_.weight_powers + channel) * (p_.channel_scale ? __ldg(p_.channel_scale + channel) : 1.0f);
      if (p_.bias) c.bias[h] = __ldg(p_.bias + channel);
    }
    return c;
  }

  __device__ void finish(ExactConsumer& self, Tile at, const Channels& c, unsigned& low_rank_parity) const {
    Up up = fetch_up(self, c.row, 0);
    named_barrier(1 + self.warpgroup, 128);  // token_factor is complete
    const float* by_token = shared_.token_factor[self.warpgroup] + 2 * (self.lane % 4);
#pragma unroll
    for (int j = 0; j < kTokens / 8; ++j) {
      const float2 t = *reinterpret_cast<const float2*>(by_token + 8 * j);
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        float &even = self.sums[4 * j + 2 * h], &odd = self.sums[4 * j + 2 * h + 1];
        even = fmaf(even, t.x * c.factor[h], c.bias[h]);
        odd = fmaf(odd, t.y * c.factor[h], c.bias[h]);
      }
    }
    for (int r = 0; r < p_.rank; r += 32) {
      if (r > 0) up = fetch_up(self, c.row, r);
      add_low_rank(self, up, r, low_rank_parity);
    }
    if constexpr (Shape::kRope) norm_rope(self, at, c.row);
    if (p_.out_type == HalfType::kBf16)
      store<HalfType::kBf16>(self, at);
    else
      store<HalfType::kFp16>(self, at);
  }

 private:
  // What a thread holds of up's 32 columns from r on, as wgmma's operand A.
  struct Up {
    uint16_t bits[4][4];
  };

  // All loads at once, none beyond the edge.
  __device__ Up fetch_up(const ExactConsumer& self, int row, int r) const {
    Up up{};
    if (r >= p_.rank) return up;
#pragma unroll
    for (int s = 0; s < 4; ++s)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int channel = min(row + 8 * (i % 2), p_.n - 1), column = min(r + 8 * s, p_.rank - 8);
        up.bits[s][i] = __ldg(p_.up + channel * p_.up_stride + column + self.lane % 4 + 4 * (i / 2));
      }
    return up;
  }

  // As fp32, 0 from column `left` on.
  template <HalfType kUp>
  static __device__ void widen(const Up& up, int left, uint32_t (&a)[4][4]) {
#pragma unroll
    for (int s = 0; s < 4; ++s)
#pragma unroll
      for (int i = 0; i < 4; ++i) a[s][i] = 8 * s < left ? bits_of(half_value(kUp, up.bits[s][i])) : 0u;
  }

  // Up to 32 ranks from r on, as tf32: up is exact, low_rank loses its last 13 bits.
  __device__ void add_low_rank(ExactConsumer& self, const Up& up, int r, unsigned& low_rank_parity) const {
    const uint64_t tile = swizzled_tile(shared_address(shared_.low_rank));
    uint32_t a[4][4];
    if (p_.up_type == HalfType::kBf16)
      widen<HalfType::kBf16>(up, p_.rank - r, a);
    else
      widen<HalfType::kFp16>(up, p_.rank - r, a);
    barrier_wait(&shared_.low_rank_full, low_rank_parity);
    low_rank_parity ^= 1;
    wgmma_fence();
#pragma unroll
    for (int s = 0; s < 4; ++s) wgmma_tf32(self.sums, a[s], tile + 2 * s, 1);
    wgmma_commit();
    wgmma_wait<0>();
    pin(self.sums);
    __syncwarp();
    if (self.lane == 0) barrier_arrive(&shared_.low_rank_empty);
  }

  // A head lies in one warpgroup (64 channels) or in both.
  __device__ void norm_rope(ExactConsumer& self, Tile at, int row) const {
    const ExactRope& rope = p_.rope;
    const int head = (at.channel + 64 * self.warpgroup) / rope.head_dim;
    if (head >= 2 * rope.heads) return;
    const bool both = rope.head_dim == 128;
    const int barrier = both ? 3 : 1 + self.warpgroup, threads = both ? 256 : 128;
    float* squares = shared_.squares[4 * self.warpgroup + self.warp];
#pragma unroll
    for (int i = 0; i < kTokens / 2; i += 2) {
      const float2 pair = rounded_pair(self.sums[i], self.sums[i + 1]);
      self.sums[i] = pair.x;
      self.sums[i + 1] = pair.y;
    }
#pragma unroll
    for (int j = 0; j < kTokens / 8; ++j)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const float low = self.sums[4 * j + e], high = self.sums[4 * j + 2 + e];
        float sum = low * low + high * high;
#pragma unroll
        for (int step = 4; step < 32; step *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
        if (self.lane < 4) squares[8 * j + 2 * self.lane + e] = sum;
      }
    named_barrier(barrier, threads);
    const int first = both ? 0 : 4 * self.warpgroup;
    const float* weight = head < rope.heads ? rope.query_weight : rope.key_weight;
    const int channel = row % rope.head_dim;
    const float by[2] = {__ldg(weight + channel), __ldg(weight + channel + 8)};
    const bool odd = channel % 2 != 0;
#pragma unroll
    for (int j = 0; j < kTokens / 8; ++j)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int token = 8 * j + 2 * (self.lane % 4) + e;
        float sum = 0;
        for (int w = 0; w < (both ? 8 : 4); ++w) sum += shared_.squares[first + w][token];
        const float inverse = __frcp_rn(__fsqrt_rn(sum / rope.head_dim + rope.epsilon));
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          float& value = self.sums[4 * j + 2 * h + e];
          const float normed = rounded_pair(value * inverse * by[h], 0.0f).x;
          const float other = __shfl_xor_sync(0xffffffffu, normed, 4);
          float cosine = 0, sine = 0;
          if (at.token + token < p_.m) {
            const float* angle =
                rope.table + (at.token + token) * rope.table_stride + (channel + 8 * h) / 2 * 2;
            cosine = __ldg(angle);
            sine = __ldg(angle + 1);
          }
          value = odd ? other * sine + normed * cosine : normed * cosine - other * sine;
        }
      }
    named_barrier(barrier, threads);  // the sums of squares have been read
  }

  __device__ float2 rounded_pair(float a, float b) const {
    return p_.out_type == HalfType::kBf16
               ? unpack_halves<HalfType::kBf16>(pack_halves<HalfType::kBf16>(a, b))
               : unpack_halves<HalfType::kFp16>(pack_halves<HalfType::kFp16>(a, b));
  }

  template <HalfType kOut>
  __device__ void store(ExactConsumer& self, Tile at) const {
    uint8_t* staging = shared_.out[self.warpgroup];
    if (self.thread == 0) stores_have_read();
    named_barrier(1 + self.warpgroup, 128);
    const Place target = stmatrix_target(self.lane);
    const int byte = 2 * (16 * self.warp + target.row);
    const uint32_t base = shared_address(staging);
#pragma unroll
    for (int i = 0; i < kTokens / 16; ++i) {
      const float* s = self.sums + 8 * i;
      store_transposed(base + swizzle_128(16 * i + target.col, byte), pack_halves<kOut>(s[0], s[1]),
                       pack_halves<kOut>(s[2], s[3]), pack_halves<kOut>(s[4], s[5]),
                       pack_halves<kOut>(s[6], s[7]));
    }
    fence_shared_for_engines();
    named_barrier(1 + self.warpgroup, 128);
    const int channel = at.channel + 64 * self.warpgroup;
    if (self.thread == 0 && channel < p_.n) store_box(&p_.out, channel, at.token, staging);
  }

  const ExactParameters& p_;
  ExactShared& shared_;
};

}  // namespace svdlab::device
