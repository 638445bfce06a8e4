#pragma once
#include "kernels/device/plain_epilogue.cuh"
#include "kernels/device/plain_weights.cuh"

namespace svdlab::device {

/// The two multiplying warpgroups of a block: 64 channels each by all tokens of the tile.
template <class Shape>
class PlainMultiply {
  static constexpr int kTokens = Shape::kTokens;
  using Shared = typename Shape::Shared;
  using Stage = typename Shape::Stage;
  using Sum = typename Shape::Sum;
  using Tile = typename PlainTiles<Shape>::Tile;

 public:
  __device__ PlainMultiply(const PlainParameters& p, Shared& shared) : p_(p), shared_(shared), tiles_(p) {}

  __device__ void run() {
    if constexpr (Shape::kSharedWeights)
      run_from_shared();
    else
      run_from_registers();
    if (self_.thread == 0) stores_have_read();
  }

 private:
  __device__ void run_from_shared() {
    PlainEpilogue<Shape> epilogue(p_, shared_, self_);
    for (int index = tiles_.first(); index < tiles_.count(); index += tiles_.step()) {
      const Tile at = tiles_.at(index);
      epilogue.start(at);
      int sums[kTokens / 2] = {};
      uint64_t* before = nullptr;
      for (int step = 0; step < p_.steps; ++step) {
        barrier_wait(&shared_.full[cursor_.slot], cursor_.parity);
        const Stage& stage = shared_.stages[cursor_.slot];
        const uint64_t weights =
            swizzled_tile(shared_address(stage.weights + 64 * kPlainRowBytes * self_.warpgroup));
        const uint64_t tokens = swizzled_tile(shared_address(stage.tokens));
        wgmma_fence();
#pragma unroll
        for (int j = 0; j < 4; ++j) wgmma_s8(sums, weights + 2 * j, tokens + 2 * j);
        wgmma_commit();
        wgmma_wait<1>();
        if (step > 0) release_stage<Shape>(before, self_.lane);
        before = &shared_.empty[cursor_.slot];
        cursor_.advance();
      }
      wgmma_wait<0>();
      pin(sums);
      release_stage<Shape>(before, self_.lane);
      epilogue.finish(sums, at, cursor_);
    }
  }

  // While one step of 16 columns runs, the weights of the next are made.
  __device__ void run_from_registers() {
    PlainEpilogue<Shape> epilogue(p_, shared_, self_);
    PlainWeights<Shape> weights(p_, self_);
    for (int index = tiles_.first(); index < tiles_.count(); index += tiles_.step()) {
      const Tile at = tiles_.at(index);
      epilogue.start(at);
      float sums[kTokens / 2] = {};
#pragma unroll 2  // so that loads under way keep their registers
      for (int step = 0; step < p_.steps; ++step) {
        uint32_t operand[4][4];
        weights.expand(operand[0], 0);
        barrier_wait(&shared_.full[cursor_.slot], cursor_.parity);
        const uint64_t tokens = swizzled_tile(shared_address(shared_.stages[cursor_.slot].tokens));
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          wgmma_fence();
          wgmma_16bit<HalfType::kFp16>(sums, operand[j], tokens + 2 * j);
          wgmma_commit();
          if (j < 3) weights.expand(operand[j + 1], j + 1);
        }
        weights.advance();
        wgmma_wait<0>();
        pin(sums);
        release_stage<Shape>(&shared_.empty[cursor_.slot], self_.lane);
        cursor_.advance();
      }
      epilogue.finish(sums, at, cursor_);
    }
  }

  const PlainParameters& p_;
  Shared& shared_;
  const PlainTiles<Shape> tiles_;
  const PlainThread self_;
  PlainCursor<Shape> cursor_;
};

}  // namespace svdlab::device
