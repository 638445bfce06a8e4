#pragma once
#include "kernels/device/plain_loop.cuh"

namespace svdlab::device {

/// The feeding thread of a block: starts the copies of every stage, then of the low-rank activations.
template <class Shape>
class PlainFeed {
  using Shared = typename Shape::Shared;
  using Stage = typename Shape::Stage;
  using Tile = typename PlainTiles<Shape>::Tile;

 public:
  __device__ PlainFeed(const PlainParameters& p, Shared& shared) : p_(p), shared_(shared), tiles_(p) {}

  __device__ void run() {
    for (int index = tiles_.first(); index < tiles_.count(); index += tiles_.step()) {
      const Tile at = tiles_.at(index);
      for (int step = 0; step < p_.steps; ++step) start_stage(at, step);
      for (int r = 0; r < p_.rank; r += 32) {
        uint64_t* full = claim(sizeof(Stage::tokens));
        start_tokens(&p_.low_rank, r, at.token, full);
        cursor_.advance();
      }
    }
  }

 private:
  __device__ uint64_t* claim(unsigned bytes) {
    barrier_wait(&shared_.empty[cursor_.slot], cursor_.parity ^ 1);
    barrier_arrive_expect(&shared_.full[cursor_.slot], bytes);
    return &shared_.full[cursor_.slot];
  }

  __device__ void start_stage(Tile at, int step) {
    uint64_t* full = claim(sizeof(Stage));
    constexpr int kColumns = Shape::kSharedWeights ? kPlainRowBytes : kPlainRowBytes / 2;
    start_tokens(&p_.tokens, step * kColumns, at.token, full);
    if constexpr (Shape::kSharedWeights)
      copy_box(shared_.stages[cursor_.slot].weights, &p_.weights, step * kColumns, at.channel, full);
    cursor_.advance();
  }

  // Rows of 128 bytes of every token; blocks of a cluster copy a part for all of them.
  __device__ void start_tokens(const CUtensorMap* map, int column, int token, uint64_t* full) {
    uint8_t* to = shared_.stages[cursor_.slot].tokens;
    if constexpr (Shape::kCluster == 1) {
      copy_box(to, map, column, token, full);
    } else {
      constexpr int kShare = Shape::kTokens / Shape::kCluster;
      const int from = tiles_.rank * kShare;
      copy_box_to_blocks(to + from * kPlainRowBytes, map, column, token + from, full,
                         (1 << Shape::kCluster) - 1);
    }
  }

  const PlainParameters& p_;
  Shared& shared_;
  const PlainTiles<Shape> tiles_;
  PlainCursor<Shape> cursor_;
};

}  // namespace svdlab::device
