#pragma once
#include <cuda_fp16.h>

#include "kernels/device/exact_tiling.h"
#include "kernels/device/half.cuh"
#include "kernels/device/sm90.cuh"
#include "kernels/device/weight_fragments.h"
#include "kernels/device/wgmma.cuh"

namespace svdlab::device {

// The parts of gemm_exact_cuda.cu that its warpgroups share: what travels, and where it lies.

inline constexpr int kExactStageColumns = 128;           // K columns of a stage: two groups
inline constexpr int kExactStages = 6;                   // that are under way at once
inline constexpr int kExactCallStages = 8;               // whose products overlap
inline constexpr int kExactFlushGroups = 8;              // fp16 sums are added to the fp32 ones after as many
inline constexpr int kExactKeep = 56, kExactTake = 224;  // registers of their threads
inline constexpr int kExactProducers = 128, kExactConsumers = 256;
inline constexpr int kExactConverters = 96;  // the producers but for the warp that starts the copies

// Scales reach fp16 as scale / row_power * lift. bf16 scales then stay exact down to 2^-21 and 2^-20 of the
// row's power, and a sum of 8 groups stays finite: 8 * 64 * 15 * 7 * 2^-9 * (2 * 16) * (2 * 8) = 53760.
inline constexpr float kActivationLift = 16.0f, kWeightLift = 8.0f;
/// What a sum is multiplied by beside the rows' powers.
inline constexpr float kExactUnit = 1.0f / (kSignedUnit * kActivationLift * kWeightLift);

struct ExactRope {
  int heads, head_dim;
  const float *query_weight, *key_weight;
  float epsilon;
  const float* table;
  int64_t table_stride;
};

struct ExactParameters {
  CUtensorMap activations, low_rank, out;
  int m, n, k, rank;
  const uint8_t* weights;
  const uint16_t *activation_scales, *weight_scales;  // bf16, group-major
  int64_t activation_scale_stride, weight_scale_stride;
  const float *activation_powers, *weight_powers;
  const float *channel_scale, *bias;
  const uint16_t* up;
  int64_t up_stride;
  HalfType up_type, out_type;
  ExactRope rope;
};

/// 1 / power for a power of two.
SVDLAB_HD float inverse_of_power(float power) { return float_of(0x7f000000u - bits_of(power)); }

struct ExactStage {
  alignas(1024) uint8_t activations[kExactTokens * kExactStageColumns];
  uint8_t weights[2][2][2048];                      // [warpgroup][group], a tile of kSignedFragments64 each
  uint32_t activation_scales[2][kExactTokens / 2];  // [group], half2 at scale_slot / 2
  uint2 weight_scales[2][64];  // [group][8 w + r]: rows 16 w + r and + 8, each twice as a half2
};

struct ExactShared {
  ExactStage stages[kExactStages];
  alignas(1024) float low_rank[kExactTokens * 32];
  alignas(1024) uint8_t out[2][kExactTokens * 128];  // [warpgroup][token], 64 channels each
  float token_factor[2][kExactTokens];
  float squares[8][kExactTokens];
  uint64_t full[kExactStages], empty[kExactStages], low_rank_full, low_rank_empty;
};

/// What is fixed when a kernel is compiled. Blocks of a cluster have successive channel tiles of one token
/// tile.
template <int kClusterBlocks, bool kNormRope>
struct ExactShape {
  static constexpr int kCluster = kClusterBlocks;
  static constexpr bool kRope = kNormRope;
};

/// The tiles of one block: number first(), and each step() further on, below count().
template <class Shape>
class ExactTiles {
 public:
  struct Tile {
    int token, channel;  // the first ones
  };

  __device__ explicit ExactTiles(const ExactParameters& p)
      : rank(blockIdx.x % Shape::kCluster),
        steps(static_cast<int>(pieces_of(p.k, kExactStageColumns))),
        token_tiles_(static_cast<int>(pieces_of(p.m, kExactTokens))),
        channel_tiles_(static_cast<int>(pieces_of(p.n, kExactChannels * Shape::kCluster))) {}

  __device__ int first() const { return blockIdx.x / Shape::kCluster; }
  __device__ int step() const { return gridDim.x / Shape::kCluster; }
  __device__ int count() const { return token_tiles_ * channel_tiles_; }
  __device__ Tile at(int index) const {
    const Place place = tile_place(index, token_tiles_, channel_tiles_);
    return {place.row * kExactTokens, (place.col * Shape::kCluster + rank) * kExactChannels};
  }

  const int rank;   ///< of the block in its cluster
  const int steps;  ///< stages of a tile

 private:
  const int token_tiles_, channel_tiles_;
};

/// One thread of the two multiplying warpgroups.
struct ExactConsumer {
  int warpgroup = static_cast<int>(threadIdx.x) / 128 - 1, thread = threadIdx.x % 128, warp = thread / 32,
      lane = thread % 32;
  float sums[kExactTokens / 2] = {};       // fp32, as wgmma_accumulator
  uint32_t recent[kExactTokens / 4] = {};  // half2: the groups since the last flush
};

/// Walks the stages of all tiles of a block: the slot, and the parity of its phase.
struct StageCursor {
  int slot = 0;
  unsigned parity = 0;

  __device__ void advance() {
    if (++slot == kExactStages) slot = 0, parity ^= 1;
  }
};

__device__ __forceinline__ __half2 as_half2(uint32_t word) {
  __half2 out;
  memcpy(&out, &word, 4);
  return out;
}

__device__ __forceinline__ uint32_t as_word(__half2 pair) {
  uint32_t out;
  memcpy(&out, &pair, 4);
  return out;
}

}  // namespace svdlab::device
