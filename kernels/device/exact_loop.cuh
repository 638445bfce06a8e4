#pragma once
#include <cuda_fp16.h>

#include "kernels/device/exact_tiling.h"
#include "kernels/device/half.cuh"
#include "kernels/device/sm90.cuh"
#include "kernels/device/weight_fragments.h"
#include "kernels/device/wgmma.cuh"

namespace svdlab::device {

// The parts of gemm_exact_cuda.cu that its warpgroups share: what travels, and where it lies.

inline constexpr int kExactStageColumns = 128;  // K columns of a stage: two groups
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

template <int kTokens>
struct ExactStage {
  alignas(1024) uint8_t activations[kTokens * kExactStageColumns];
  uint8_t weights[2][2][2048];                 // [warpgroup][group], a tile of kSignedFragments64 each
  uint32_t activation_scales[2][kTokens / 2];  // [group], half2 at scale_slot / 2
  uint2 weight_scales[2][64];  // [group][8 w + r]: rows 16 w + r and + 8, each twice as a half2
};

template <int kTokens, int kStages>
struct ExactShared {
  ExactStage<kTokens> stages[kStages];
  alignas(1024) float low_rank[kTokens * 32];
  alignas(1024) uint8_t out[2][kTokens * 128];  // [warpgroup][token], 64 channels each
  float token_factor[2][kTokens];
  float squares[8][kTokens];
  uint64_t full[kStages], empty[kStages], low_rank_full, low_rank_empty;
};

/// Walks the stages of all tiles of a block: the slot, and the parity of its phase.
template <int kStages>
struct StageCursor {
  int slot = 0;
  unsigned parity = 0;

  __device__ void advance() {
    if (++slot == kStages) slot = 0, parity ^= 1;
  }
};

}  // namespace svdlab::device
