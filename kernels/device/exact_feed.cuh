#pragma once
#include "kernels/device/exact_loop.cuh"

namespace svdlab::device {

/// The first warpgroup of the exact loop: one thread starts the copies of every stage, three warps bring the
/// scales.
template <class Shape>
class ExactFeed {
  static constexpr int kTokens = Shape::kTokens, kCluster = Shape::kCluster;
  using Shared = typename Shape::Shared;
  using Stage = typename Shape::Stage;
  using Tile = typename ExactTiles<Shape>::Tile;

 public:
  __device__ ExactFeed(const ExactParameters& p, Shared& shared) : p_(p), shared_(shared), tiles_(p) {}

  /// Activations and weights of each stage, then what the tile's low-rank branch needs.
  __device__ void start_copies() {
    StageCursor<Shape> cursor;
    unsigned low_rank_parity = 1;
    for (int index = tiles_.first(); index < tiles_.count(); index += tiles_.step()) {
      const Tile at = tiles_.at(index);
      for (int step = 0; step < tiles_.steps; ++step, cursor.advance()) {
        barrier_wait(&shared_.empty[cursor.slot], cursor.parity ^ 1);
        start_stage(at, step, cursor.slot);
      }
      for (int r = 0; r < p_.rank; r += 32) {
        barrier_wait(&shared_.low_rank_empty, low_rank_parity);
        low_rank_parity ^= 1;
        barrier_arrive_expect(&shared_.low_rank_full, sizeof shared_.low_rank);
        copy_box(shared_.low_rank, &p_.low_rank, r, at.token, &shared_.low_rank_full);
      }
    }
  }

  /// The scales as stored, bf16, become fp16 relative to their row's power of two.
  __device__ void convert_scales() {
    constexpr int kAhead = 3;  // stages that the loads run ahead of their use
    StageCursor<Shape> cursor;
    const int c = threadIdx.x - 32;
    for (int index = tiles_.first(); index < tiles_.count(); index += tiles_.step()) {
      const Tile at = tiles_.at(index);
      float token_inverse[2], channel_inverse[2];
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int token = at.token + 2 * c + e, channel = at.channel + 2 * c + e;
        token_inverse[e] = 2 * c < kTokens && token < p_.m
                               ? kActivationLift * inverse_of_power(__ldg(p_.activation_powers + token))
                               : 0.0f;
        channel_inverse[e] = 2 * c < kExactChannels && channel < p_.n
                                 ? kWeightLift * inverse_of_power(__ldg(p_.weight_powers + channel))
                                 : 0.0f;
      }
      RawScales ahead[kAhead];
#pragma unroll
      for (int i = 0; i < kAhead; ++i) ahead[i] = fetch(at, i, c);
      for (int step = 0; step < tiles_.steps; ++step, cursor.advance()) {
        const RawScales raw = ahead[0];
#pragma unroll
        for (int i = 0; i + 1 < kAhead; ++i) ahead[i] = ahead[i + 1];
        ahead[kAhead - 1] = fetch(at, step + kAhead, c);
        barrier_wait(&shared_.empty[cursor.slot], cursor.parity ^ 1);
        put(shared_.stages[cursor.slot], raw, token_inverse, channel_inverse, c);
        __syncwarp();
        if (threadIdx.x % 32 == 0) barrier_arrive(&shared_.full[cursor.slot]);
      }
    }
  }

 private:
  __device__ void start_stage(Tile at, int step, int slot) {
    Stage& stage = shared_.stages[slot];
    uint64_t* full = &shared_.full[slot];
    const int tiles_per_row = p_.k / 64, groups = min(2, tiles_per_row - 2 * step);
    const unsigned weight_bytes = groups * 2048;
    barrier_arrive_expect(full, sizeof stage.activations + 2 * weight_bytes);
    if constexpr (kCluster == 1) {
      copy_box(stage.activations, &p_.activations, step * kExactStageColumns, at.token, full);
    } else {
      constexpr int kShare = kTokens / kCluster;
      const int from = tiles_.rank * kShare;
      copy_box_to_blocks(stage.activations + from * kExactStageColumns, &p_.activations,
                         step * kExactStageColumns, at.token + from, full, (1 << kCluster) - 1);
    }
    const int last_row_tile = static_cast<int>(pieces_of(p_.n, 64)) - 1;
#pragma unroll
    for (int w = 0; w < 2; ++w) {
      const int64_t row_tile = min(at.channel / 64 + w, last_row_tile);  // beyond the last: not stored
      copy_bytes(stage.weights[w], p_.weights + (row_tile * tiles_per_row + 2 * step) * 2048, weight_bytes,
                 full);
    }
  }

  // What one converter fetches of a stage: the scales of two tokens and of two channels, of both groups.
  struct RawScales {
    uint32_t tokens[2], channels[2];
  };

  __device__ RawScales fetch(Tile at, int step, int c) const {
    RawScales raw{};
#pragma unroll
    for (int g = 0; g < 2; ++g) {
      const int64_t group = 2 * step + g;
      if (group >= p_.k / 64) continue;
      const int token = at.token + 2 * c, channel = at.channel + 2 * c;
      if (2 * c < kTokens && token < p_.m)
        raw.tokens[g] = __ldg(reinterpret_cast<const uint32_t*>(p_.activation_scales +
                                                                group * p_.activation_scale_stride + token));
      if (2 * c < kExactChannels && channel < p_.n)
        raw.channels[g] = __ldg(
            reinterpret_cast<const uint32_t*>(p_.weight_scales + group * p_.weight_scale_stride + channel));
    }
    return raw;
  }

  static __device__ void put(Stage& stage, const RawScales& raw, const float (&token_inverse)[2],
                             const float (&channel_inverse)[2], int c) {
#pragma unroll
    for (int g = 0; g < 2; ++g) {
      if (2 * c < kTokens) {
        const float2 s = unpack_halves<HalfType::kBf16>(raw.tokens[g]);
        stage.activation_scales[g][scale_slot(2 * c) / 2] =
            pack_halves<HalfType::kFp16>(token_inverse[0] > 0 ? s.x * token_inverse[0] : 0.0f,
                                         token_inverse[1] > 0 ? s.y * token_inverse[1] : 0.0f);
      }
      if (2 * c < kExactChannels) {
        const float2 s = unpack_halves<HalfType::kBf16>(raw.channels[g]);
        const float scaled[2] = {channel_inverse[0] > 0 ? s.x * channel_inverse[0] : 0.0f,
                                 channel_inverse[1] > 0 ? s.y * channel_inverse[1] : 0.0f};
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const int row = 2 * c + e;
          uint2& pair = stage.weight_scales[g][row / 16 * 8 + row % 8];
          (row / 8 % 2 ? pair.y : pair.x) = pack_halves<HalfType::kFp16>(scaled[e], scaled[e]);
        }
      }
    }
  }

  const ExactParameters& p_;
  Shared& shared_;
  const ExactTiles<Shape> tiles_;
};

}  // namespace svdlab::device
