#pragma once
#include "kernels/device/exact_epilogue.cuh"
#include "kernels/device/weight_fragments.h"

namespace svdlab::device {

/// The other two warpgroups of the exact loop: 64 channels each by all tokens of the tile.
template <class Shape>
class ExactMultiply {
  static constexpr int kTokens = kExactTokens, kCluster = Shape::kCluster;
  using Tile = typename ExactTiles<Shape>::Tile;

 public:
  __device__ ExactMultiply(const ExactParameters& p, ExactShared& shared)
      : p_(p), shared_(shared), tiles_(p) {}

  __device__ void run() {
    ExactConsumer self;
    const ExactEpilogue<Shape> epilogue(p_, shared_);
    StageCursor cursor;
    unsigned low_rank_parity = 0;
    for (int index = tiles_.first(); index < tiles_.count(); index += tiles_.step()) {
      const Tile at = tiles_.at(index);
      const auto channels = epilogue.channels(self, at);
      for (int i = self.thread; i < kTokens; i += 128)
        shared_.token_factor[self.warpgroup][i] =
            at.token + i < p_.m ? kExactUnit * __ldg(p_.activation_powers + at.token + i) : 0.0f;
#pragma unroll
      for (float& sum : self.sums) sum = 0.0f;
      multiply(self, cursor);
      flush(self);
      epilogue.finish(self, at, channels, low_rank_parity);
    }
    if (self.thread == 0) stores_have_read();
  }

 private:
  static __device__ void release(uint64_t* empty, int lane) {
    __syncwarp();
    if constexpr (kCluster == 1) {
      if (lane == 0) barrier_arrive(empty);
    } else {
      if (lane < kCluster) barrier_arrive_at(empty, lane);
    }
  }

  // Starts the product of one group.
  static __device__ void start_product(uint32_t (&product)[kTokens / 4], const uint32_t (&weights)[2][4],
                                       const ExactStage& stage, int g) {
    const uint64_t tile = swizzled_tile(shared_address(stage.activations)) + 4 * g;
    wgmma_fence();
    wgmma_e4m3(product, weights[0], tile, 0);
    wgmma_e4m3(product, weights[1], tile + 2, 1);
    wgmma_commit();
  }

  __device__ void multiply(ExactConsumer& self, StageCursor& cursor) {
    int step = 0;
    for (; step + kExactCallStages <= tiles_.steps; step += kExactCallStages)
      multiply_stages<kExactCallStages>(self, cursor);
    for (; step < tiles_.steps; ++step) {
      multiply_stages<1>(self, cursor);
      if ((step + 1) % (kExactFlushGroups / 2) == 0) flush(self);
    }
  }

  // The product of the next group is under way while that of the last gets its scales. None runs on into the
  // next call: the compiler would then wait after every instruction. Reads of shared memory are asked for
  // early: behind the tensor cores' own they take over a hundred cycles.
  template <int kStages>
  __device__ void multiply_stages(ExactConsumer& self, StageCursor& cursor) {
    constexpr int kGroups = 2 * kStages;
    uint32_t weights[2][2][4], product[2][kTokens / 4];
    int slots[kStages];
    slots[0] = cursor.slot;
    barrier_wait(&shared_.full[cursor.slot], cursor.parity);
    unpack(packed_weights(self, shared_.stages[slots[0]], 0), weights[0]);
    start_product(product[0], weights[0], shared_.stages[slots[0]], 0);
    uint4 packed = packed_weights(self, shared_.stages[slots[0]], 1);
    cursor.advance();
    bool full = kStages > 1 && barrier_test(&shared_.full[cursor.slot], cursor.parity);
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
      if (i + 1 < kGroups) unpack(packed, weights[(i + 1) % 2]);
      const GroupScales scales = group_scales(self, shared_.stages[slots[i / 2]], i % 2);
      if (i + 1 < kGroups)
        start_product(product[(i + 1) % 2], weights[(i + 1) % 2], shared_.stages[slots[(i + 1) / 2]],
                      (i + 1) % 2);
      if (i + 2 < kGroups) {
        if (i % 2 == 0) {
          if (!full) barrier_wait(&shared_.full[cursor.slot], cursor.parity);
          slots[i / 2 + 1] = cursor.slot;
          cursor.advance();
        }
        packed = packed_weights(self, shared_.stages[slots[(i + 2) / 2]], i % 2);
      }
      if (i % 2 == 1 && i + 3 < kGroups) full = barrier_test(&shared_.full[cursor.slot], cursor.parity);
      if (i + 1 < kGroups)
        wgmma_wait<1>();
      else
        wgmma_wait<0>();
      pin(product[i % 2]);
      promote(self, product[i % 2], scales);
      if (i % 2 == 1) release(&shared_.empty[slots[i / 2]], self.lane);
      if ((i + 1) % kExactFlushGroups == 0) flush(self);
    }
  }

  // A thread's scales of one group: of its two channels, each twice as a half2, and of its tokens in pairs.
  struct GroupScales {
    uint2 channels;
    uint4 tokens[kTokens / 32];
  };

  static __device__ GroupScales group_scales(const ExactConsumer& self, const ExactStage& stage, int g) {
    GroupScales scales;
    scales.channels = stage.weight_scales[g][(4 * self.warpgroup + self.warp) * 8 + self.lane / 4];
#pragma unroll
    for (int block = 0; block < kTokens / 32; ++block)
      scales.tokens[block] =
          *reinterpret_cast<const uint4*>(stage.activation_scales[g] + 4 * (self.lane % 4) + 16 * block);
    return scales;
  }

  // recent += product * (token's scale * channel's scale), in fp16.
  static __device__ void promote(ExactConsumer& self, const uint32_t (&product)[kTokens / 4],
                                 const GroupScales& scales) {
#pragma unroll
    for (int block = 0; block < kTokens / 32; ++block) {
      const uint32_t tokens[4] = {scales.tokens[block].x, scales.tokens[block].y, scales.tokens[block].z,
                                  scales.tokens[block].w};
      uint32_t both[8];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        both[2 * j] = as_word(__hmul2(as_half2(tokens[j]), as_half2(scales.channels.x)));
        both[2 * j + 1] = as_word(__hmul2(as_half2(tokens[j]), as_half2(scales.channels.y)));
      }
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        uint32_t& sum = self.recent[8 * block + i];
        sum = as_word(__hfma2(as_half2(product[8 * block + i]), as_half2(both[i]), as_half2(sum)));
      }
    }
  }

  static __device__ uint4 packed_weights(const ExactConsumer& self, const ExactStage& stage, int g) {
    return *reinterpret_cast<const uint4*>(&stage.weights[self.warpgroup][g][16 * self.thread]);
  }

  static __device__ void unpack(uint4 packed, uint32_t (&weights)[2][4]) {
    unpack(weights[0], packed.x, packed.y);
    unpack(weights[1], packed.z, packed.w);
  }

  static __device__ void unpack(uint32_t (&operand)[4], uint32_t upper_rows, uint32_t lower_rows) {
    operand[0] = signed_low_values(upper_rows);
    operand[1] = signed_low_values(lower_rows);
    operand[2] = signed_high_values(upper_rows);
    operand[3] = signed_high_values(lower_rows);
  }

  static __device__ void flush(ExactConsumer& self) {
#pragma unroll
    for (int i = 0; i < kTokens / 4; ++i) {
      const float2 pair = __half22float2(as_half2(self.recent[i]));
      self.sums[2 * i] += pair.x;
      self.sums[2 * i + 1] += pair.y;
      self.recent[i] = 0;
    }
  }

  const ExactParameters& p_;
  ExactShared& shared_;
  const ExactTiles<Shape> tiles_;
};

}  // namespace svdlab::device
