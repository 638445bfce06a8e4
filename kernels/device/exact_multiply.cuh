#pragma once
#include "kernels/device/exact_epilogue.cuh"
#include "kernels/device/weight_fragments.h"

namespace svdlab::device {

/// The other two warpgroups of the exact loop: 64 channels each by all tokens of the tile.
template <class Shape>
class ExactMultiply {
  static constexpr int kTokens = Shape::kTokens, kCluster = Shape::kCluster;
  using Shared = typename Shape::Shared;
  using Stage = typename Shape::Stage;
  using Tile = typename ExactTiles<Shape>::Tile;
  using Consumer = ExactConsumer<Shape>;

 public:
  __device__ ExactMultiply(const ExactParameters& p, Shared& shared) : p_(p), shared_(shared), tiles_(p) {}

  __device__ void run() {
    Consumer self;
    const ExactEpilogue<Shape> epilogue(p_, shared_);
    StageCursor<Shape> cursor;
    unsigned low_rank_parity = 0;
    for (int index = tiles_.first(); index < tiles_.count(); index += tiles_.step()) {
      const Tile at = tiles_.at(index);
      for (int i = self.thread; i < kTokens; i += 128)
        shared_.token_factor[self.warpgroup][i] =
            at.token + i < p_.m ? kExactUnit * __ldg(p_.activation_powers + at.token + i) : 0.0f;
#pragma unroll
      for (float& sum : self.sums) sum = 0.0f;
      if constexpr (kTokens == 128)
        multiply_overlapped(self, cursor);
      else
        multiply_in_turn(self, cursor);
      flush(self);
      epilogue.finish(self, at, low_rank_parity);
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
                                       const Stage& stage, int g) {
    const uint64_t tile = swizzled_tile(shared_address(stage.activations)) + 4 * g;
    wgmma_fence();
    wgmma_e4m3(product, weights[0], tile, 0);
    wgmma_e4m3(product, weights[1], tile + 2, 1);
    wgmma_commit();
  }

  // Each group's product, then its scales; meanwhile the tensor cores serve the other warpgroup.
  __device__ void multiply_in_turn(Consumer& self, StageCursor<Shape>& cursor) {
    for (int step = 0; step < tiles_.steps; ++step, cursor.advance()) {
      barrier_wait(&shared_.full[cursor.slot], cursor.parity);
      const Stage& stage = shared_.stages[cursor.slot];
      uint32_t weights[2][2][4];  // [group][step]
      unpack(self, stage, weights);
#pragma unroll
      for (int g = 0; g < 2; ++g) {
        uint32_t product[kTokens / 4];
        start_product(product, weights[g], stage, g);
        wgmma_wait<0>();
        pin(product);
        promote(self, product, stage, g);
      }
      release(&shared_.empty[cursor.slot], self.lane);
      if ((step + 1) % kExactFlushStages == 0) flush(self);
    }
  }

  // Both groups' products at once; the first gets its scales while the second runs. (A product that runs on
  // into the next stage would make the compiler wait after every instruction.)
  __device__ void multiply_overlapped(Consumer& self, StageCursor<Shape>& cursor) {
    for (int step = 0; step < tiles_.steps; ++step, cursor.advance()) {
      barrier_wait(&shared_.full[cursor.slot], cursor.parity);
      const Stage& stage = shared_.stages[cursor.slot];
      uint32_t weights[2][2][4], first[kTokens / 4], second[kTokens / 4];
      unpack(self, stage, weights);
      start_product(first, weights[0], stage, 0);
      start_product(second, weights[1], stage, 1);
      wgmma_wait<1>();
      pin(first);
      promote(self, first, stage, 0);
      wgmma_wait<0>();
      pin(second);
      promote(self, second, stage, 1);
      release(&shared_.empty[cursor.slot], self.lane);
      if ((step + 1) % kExactFlushStages == 0) flush(self);
    }
  }

  // recent += product * (token's scale * channel's scale), in fp16.
  static __device__ void promote(Consumer& self, const uint32_t (&product)[kTokens / 4], const Stage& stage,
                                 int g) {
    const uint2 by_row = stage.weight_scales[g][(4 * self.warpgroup + self.warp) * 8 + self.lane / 4];
    const uint32_t* by_token = stage.activation_scales[g] + 4 * (self.lane % 4);
#pragma unroll
    for (int block = 0; block < kTokens / 32; ++block) {
      uint32_t scales[8];
      multiply_scales(scales, by_token + 16 * block, by_row);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        uint32_t& sum = self.recent[8 * block + i];
        sum = as_word(__hfma2(as_half2(product[8 * block + i]), as_half2(scales[i]), as_half2(sum)));
      }
    }
  }

  static __device__ void unpack(const Consumer& self, const Stage& stage, uint32_t (&weights)[2][2][4]) {
#pragma unroll
    for (int g = 0; g < 2; ++g) {
      const uint4 w = *reinterpret_cast<const uint4*>(&stage.weights[self.warpgroup][g][16 * self.thread]);
      unpack(weights[g][0], w.x, w.y);
      unpack(weights[g][1], w.z, w.w);
    }
  }

  static __device__ void unpack(uint32_t (&operand)[4], uint32_t upper_rows, uint32_t lower_rows) {
    operand[0] = signed_low_values(upper_rows);
    operand[1] = signed_low_values(lower_rows);
    operand[2] = signed_high_values(upper_rows);
    operand[3] = signed_high_values(lower_rows);
  }

  // The products of both scales for 32 tokens: elements 8 block .. + 7 of the packed accumulator.
  static __device__ void multiply_scales(uint32_t (&scales)[8], const uint32_t* by_token, uint2 by_row) {
    const uint4 four = *reinterpret_cast<const uint4*>(by_token);
    const uint32_t tokens[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      scales[2 * j] = as_word(__hmul2(as_half2(tokens[j]), as_half2(by_row.x)));
      scales[2 * j + 1] = as_word(__hmul2(as_half2(tokens[j]), as_half2(by_row.y)));
    }
  }

  static __device__ void flush(Consumer& self) {
#pragma unroll
    for (int i = 0; i < kTokens / 4; ++i) {
      const float2 pair = __half22float2(as_half2(self.recent[i]));
      self.sums[2 * i] += pair.x;
      self.sums[2 * i + 1] += pair.y;
      self.recent[i] = 0;
    }
  }

  const ExactParameters& p_;
  Shared& shared_;
  const ExactTiles<Shape> tiles_;
};

}  // namespace svdlab::device
