#pragma once
#include "kernels/device/plain_loop.cuh"

namespace svdlab::device {

/// What follows the sums of a tile: scales, the low-rank branch, bias, output.
template <class Shape>
class PlainEpilogue {
  static constexpr int kTokens = Shape::kTokens;
  using Shared = typename Shape::Shared;
  using Tile = typename PlainTiles<Shape>::Tile;

 public:
  __device__ PlainEpilogue(const PlainParameters& p, Shared& shared, const PlainThread& self)
      : p_(p), shared_(shared), self_(self) {}

  /// Before the product: brings what finish() multiplies the tokens by.
  __device__ void start(Tile at) const {
    if (!p_.token_scale) return;
    for (int i = self_.thread; i < kTokens; i += 128)
      shared_.token_factor[self_.warpgroup][i] =
          at.token + i < p_.m ? __ldg(p_.token_scale + at.token + i) : 0.0f;
  }

  template <class Sum>
  __device__ void finish(Sum (&sums)[kTokens / 2], Tile at, PlainCursor<Shape>& cursor) {
    float y[kTokens / 2], bias[2];
    scale(sums, y, bias, at);
    for (int r = 0; r < p_.rank; r += 32, cursor.advance()) add_low_rank(y, at, r, cursor);
#pragma unroll
    for (int i = 0; i < kTokens / 2; ++i) y[i] += bias[i / 2 % 2];
    store(y, at);
  }

 private:
  template <class Sum>
  __device__ void scale(const Sum (&sums)[kTokens / 2], float (&y)[kTokens / 2], float (&bias)[2],
                        Tile at) const {
    float factor[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int channel = at.channel + self_.row() + 8 * h;
      const bool inside = channel < p_.n;
      factor[h] = p_.factor;
      if (inside && p_.weight_scale) factor[h] *= __ldg(p_.weight_scale + channel);
      if (inside && p_.channel_scale) factor[h] *= __ldg(p_.channel_scale + channel);
      bias[h] = inside && p_.bias ? __ldg(p_.bias + channel) : 0.0f;
    }
    if constexpr (Shape::kKind == PlainKind::kNvfp4) {
#pragma unroll
      for (int i = 0; i < kTokens / 2; ++i) y[i] = sums[i] * factor[i / 2 % 2];
      return;
    }
    named_barrier(1 + self_.warpgroup, 128);  // token_factor is complete
    const float* by_token = shared_.token_factor[self_.warpgroup] + 2 * (self_.lane % 4);
#pragma unroll
    for (int j = 0; j < kTokens / 8; ++j) {
      const float2 t = *reinterpret_cast<const float2*>(by_token + 8 * j);
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        y[4 * j + 2 * h] = static_cast<float>(sums[4 * j + 2 * h]) * (t.x * factor[h]);
        y[4 * j + 2 * h + 1] = static_cast<float>(sums[4 * j + 2 * h + 1]) * (t.y * factor[h]);
      }
    }
  }

  // Up to 32 ranks from r on. A low-rank activation becomes two bf16 numbers, which hold 16 of its bits, and
  // so does `up` when it is fp16.
  __device__ void add_low_rank(float (&y)[kTokens / 2], Tile at, int r, PlainCursor<Shape>& cursor) const {
    uint32_t high[2][4], rest[2][4];
    load_up(high, rest, at.channel + self_.row(), r);
    barrier_wait(&shared_.full[cursor.slot], cursor.parity);
    uint8_t* tokens = shared_.stages[cursor.slot].tokens;
    if (threadIdx.x < kTokens) split_row(tokens, threadIdx.x);
    fence_shared_for_engines();
    named_barrier(3, kPlainConsumers);
    const uint64_t tile = swizzled_tile(shared_address(tokens));
    wgmma_fence();
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      wgmma_16bit<HalfType::kBf16>(y, high[s], tile + 2 * s);
      wgmma_16bit<HalfType::kBf16>(y, high[s], tile + 4 + 2 * s);
    }
    wgmma_commit();
    wgmma_wait<0>();
    pin(y);
    if (p_.up_type == HalfType::kFp16) {
      wgmma_fence();
#pragma unroll
      for (int s = 0; s < 2; ++s) wgmma_16bit<HalfType::kBf16>(y, rest[s], tile + 2 * s);
      wgmma_commit();
      wgmma_wait<0>();
      pin(y);
    }
    release_stage<Shape>(&shared_.empty[cursor.slot], self_.lane);
  }

  __device__ void load_up(uint32_t (&high)[2][4], uint32_t (&rest)[2][4], int row, int r) const {
#pragma unroll
    for (int s = 0; s < 2; ++s)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int channel = row + 8 * (i % 2), column = r + 16 * s + 2 * (self_.lane % 4) + 8 * (i / 2);
        high[s][i] = rest[s][i] = 0;
        if (channel < p_.n && column < p_.rank)
          high[s][i] = __ldg(reinterpret_cast<const uint32_t*>(p_.up + channel * p_.up_stride + column));
      }
    if (p_.up_type == HalfType::kBf16) return;
#pragma unroll
    for (int s = 0; s < 2; ++s)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float2 v = unpack_halves<HalfType::kFp16>(high[s][i]);
        split(v.x, v.y, high[s][i], rest[s][i]);
      }
  }

  static __device__ void split(float a, float b, uint32_t& high, uint32_t& rest) {
    high = pack_halves<HalfType::kBf16>(a, b);
    const float2 had = unpack_halves<HalfType::kBf16>(high);
    rest = pack_halves<HalfType::kBf16>(a - had.x, b - had.y);
  }

  // Row `row` of 32 fp32 becomes 32 bf16, and 32 more of what they left.
  static __device__ void split_row(uint8_t* tile, int row) {
    float4 in[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) in[i] = *reinterpret_cast<const float4*>(tile + swizzle_128(row, 16 * i));
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      uint4 high, rest;
      split(in[2 * i].x, in[2 * i].y, high.x, rest.x);
      split(in[2 * i].z, in[2 * i].w, high.y, rest.y);
      split(in[2 * i + 1].x, in[2 * i + 1].y, high.z, rest.z);
      split(in[2 * i + 1].z, in[2 * i + 1].w, high.w, rest.w);
      *reinterpret_cast<uint4*>(tile + swizzle_128(row, 16 * i)) = high;
      *reinterpret_cast<uint4*>(tile + swizzle_128(row, 64 + 16 * i)) = rest;
    }
  }

  // What lies outside of the matrix is stored, too: the copy engine leaves it out, and every turn has a
  // store.
  __device__ void store(const float (&y)[kTokens / 2], Tile at) {
    const Place target = stmatrix_target(self_.lane);
    const int channel = at.channel + 64 * self_.warpgroup, byte = 2 * (16 * self_.warp + target.row);
#pragma unroll
    for (int first = 0; first < kTokens; first += kPlainOutTokens) {
      uint8_t* staging = shared_.out[self_.warpgroup][turn_];
      turn_ ^= 1;
      if (self_.thread == 0) stores_before_have_read<1>();
      named_barrier(1 + self_.warpgroup, 128);
      const uint32_t base = shared_address(staging);
#pragma unroll
      for (int i = 0; i < kPlainOutTokens / 16; ++i) {
        const float* s = y + first / 2 + 8 * i;
        store_transposed(base + swizzle_128(16 * i + target.col, byte), pack_halves(p_.out_type, s[0], s[1]),
                         pack_halves(p_.out_type, s[2], s[3]), pack_halves(p_.out_type, s[4], s[5]),
                         pack_halves(p_.out_type, s[6], s[7]));
      }
      fence_shared_for_engines();
      named_barrier(1 + self_.warpgroup, 128);
      if (self_.thread == 0) store_box(&p_.out, channel, at.token + first, staging);
    }
  }

  const PlainParameters& p_;
  Shared& shared_;
  const PlainThread& self_;
  int turn_ = 0;
};

}  // namespace svdlab::device
