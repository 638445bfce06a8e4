#pragma once
#include <cuda_fp16.h>

#include <type_traits>

#include "kernels/device/fragments.h"
#include "kernels/device/half.cuh"
#include "kernels/device/plain_tiling.h"
#include "kernels/device/sm90.cuh"
#include "kernels/device/wgmma.cuh"
#include "kernels/device/wgmma_shapes.cuh"

namespace svdlab::device {

// The parts of gemm_wgmma_cuda.cu that its warps share: what travels, and where it lies.

enum class PlainKind {
  kW8A8,   ///< int8 by int8
  kW4A8,   ///< int4 codes times their scales are exact in fp16, as are int8 activations
  kNvfp4,  ///< e2m1 codes times their scales are exact in fp16
};

inline constexpr int kPlainConsumers = 256, kPlainThreads = kPlainConsumers + 128;
inline constexpr int kPlainRowBytes = 128;   // of a stage: 128 columns of int8, 64 of fp16
inline constexpr int kPlainMemory = 232448;  // bytes of shared memory that a block can have on sm_90
inline constexpr int kPlainOutTokens = 32;   // tokens that are stored at a time

struct PlainParameters {
  CUtensorMap tokens, weights, low_rank, out;  // weights: kW8A8 alone
  int m, n, rank, steps, groups;               // stages of a tile; groups of 64 columns
  const uint8_t *codes, *scales;               // of the weights, other kinds
  int64_t code_stride, scale_stride;
  const float* weight_powers;                                      // kW4A8
  const float *token_scale, *weight_scale, *channel_scale, *bias;  // nullptr: 1, 1, 1, 0
  float factor;                                                    // of every sum
  const uint16_t* up;
  int64_t up_stride;
  HalfType up_type, out_type;
};

template <int kTokens, bool kWithWeights>
struct PlainStage {
  alignas(1024) uint8_t tokens[kTokens * kPlainRowBytes];
  uint8_t weights[kPlainChannels * kPlainRowBytes];
};
template <int kTokens>
struct PlainStage<kTokens, false> {
  alignas(1024) uint8_t tokens[kTokens * kPlainRowBytes];
};

template <class Stage, int kTokens, int kStages>
struct PlainShared {
  Stage stages[kStages];
  alignas(1024) uint8_t out[2][2][kPlainOutTokens * 128];  // [warpgroup][turn][token], 64 channels each
  float token_factor[2][kTokens];
  uint64_t full[kStages], empty[kStages];
};

/// What is fixed when a kernel is compiled. Blocks of a cluster have successive channel tiles of one token
/// tile. The low-rank activations of a tile travel in a stage of their own, [tokens, 32] fp32, after the
/// last.
template <PlainKind kLoopKind, int kTokenCount, int kClusterBlocks>
struct PlainShape {
  static constexpr PlainKind kKind = kLoopKind;
  static constexpr int kTokens = kTokenCount, kCluster = kClusterBlocks;
  static constexpr bool kSharedWeights = kKind == PlainKind::kW8A8;
  using Sum = std::conditional_t<kSharedWeights, int, float>;
  using Stage = PlainStage<kTokens, kSharedWeights>;
  static constexpr int kStages = (kPlainMemory - static_cast<int>(sizeof(PlainShared<Stage, kTokens, 1>)) +
                                  static_cast<int>(sizeof(Stage))) /
                                 static_cast<int>(sizeof(Stage));
  using Shared = PlainShared<Stage, kTokens, kStages>;
  static_assert(sizeof(Shared) <= kPlainMemory && kStages >= 3);
};

/// The tiles of one block: number first(), and each step() further on, below count().
template <class Shape>
class PlainTiles {
 public:
  struct Tile {
    int token, channel;  // the first ones
  };

  __device__ explicit PlainTiles(const PlainParameters& p)
      : rank(blockIdx.x % Shape::kCluster),
        token_tiles_(static_cast<int>(pieces_of(p.m, Shape::kTokens))),
        channel_tiles_(static_cast<int>(pieces_of(p.n, kPlainChannels * Shape::kCluster))) {}

  __device__ int first() const { return blockIdx.x / Shape::kCluster; }
  __device__ int step() const { return gridDim.x / Shape::kCluster; }
  __device__ int count() const { return token_tiles_ * channel_tiles_; }
  __device__ Tile at(int index) const {
    const Place place = tile_place(index, token_tiles_, channel_tiles_);
    return {place.row * Shape::kTokens, (place.col * Shape::kCluster + rank) * kPlainChannels};
  }

  const int rank;  ///< of the block in its cluster

 private:
  const int token_tiles_, channel_tiles_;
};

/// Walks the stages of all tiles of a block: the slot, and the parity of its phase.
template <class Shape>
struct PlainCursor {
  int slot = 0;
  unsigned parity = 0;

  __device__ void advance() {
    if (++slot == Shape::kStages) slot = 0, parity ^= 1;
  }
};

/// Which part of a tile a consuming thread has: 64 channels a warpgroup.
struct PlainThread {
  int warpgroup = static_cast<int>(threadIdx.x) / 128, thread = threadIdx.x % 128, warp = thread / 32,
      lane = thread % 32;

  /// The first of its two rows in the tile; the other is 8 further on.
  __device__ int row() const { return 64 * warpgroup + 16 * warp + lane / 4; }
};

/// The warp has read a stage.
template <class Shape>
__device__ void release_stage(uint64_t* empty, int lane) {
  __syncwarp();
  if constexpr (Shape::kCluster == 1) {
    if (lane == 0) barrier_arrive(empty);
  } else {
    if (lane < Shape::kCluster) barrier_arrive_at(empty, lane);
  }
}

}  // namespace svdlab::device
