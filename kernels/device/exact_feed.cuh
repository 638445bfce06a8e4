#pragma once
#include "kernels/device/exact_loop.cuh"

namespace svdlab::device {

/// The first warpgroup of the exact loop: one thread starts the copies of every stage, three warps bring the
/// scales.
template <class Shape>
class ExactFeed {
  static constexpr int kTokens = kExactTokens, kCluster = Shape::kCluster;
  using Tile = typename ExactTiles<Shape>::Tile;

 public:
  __device__ ExactFeed(const ExactParameters& p, ExactShared& shared) : p_(p), shared_(shared), tiles_(p) {}

  /// Activations and weights of each stage, then what the tile's low-rank branch needs.
  __device__ void start_copies() {
    StageCursor cursor;
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
    StageCursor cursor;
    for (int index = tiles_.first(); index < tiles_.count(); index += tiles_.step()) {
      const Scales scales(p_, tiles_.at(index), threadIdx.x - 32);
      // What is loaded now is needed two stages later: in registers of its own, or the loads would be waited
      // for.
      RawScales even = scales.fetch(0), odd = scales.fetch(1);
      for (int step = 0; step < tiles_.steps; step += 2) {
        put(scales, even, cursor);
        even = scales.fetch(step + 2);
        if (step + 1 == tiles_.steps) break;
        put(scales, odd, cursor);
        odd = scales.fetch(step + 3);
      }
    }
  }

 private:
  __device__ void start_stage(Tile at, int step, int slot) {
    ExactStage& stage = shared_.stages[slot];
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

  // Where one converter's scales of a tile lie, and what makes them relative.
  struct Scales {
    const uint32_t *tokens = nullptr, *channels = nullptr;  // those of group 0; nullptr: beyond the edge
    int64_t token_stride, channel_stride;
    int groups, number;
    float token_factor[2] = {}, channel_factor[2] = {};

    __device__ Scales(const ExactParameters& p, Tile at, int c)
        : token_stride(p.activation_scale_stride / 2),
          channel_stride(p.weight_scale_stride / 2),
          groups(p.k / 64),
          number(c) {
      const int token = at.token + 2 * c, channel = at.channel + 2 * c;
      if (2 * c < kTokens && token < p.m)
        tokens = reinterpret_cast<const uint32_t*>(p.activation_scales + token);
      if (2 * c < kExactChannels && channel < p.n)
        channels = reinterpret_cast<const uint32_t*>(p.weight_scales + channel);
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        if (tokens && token + e < p.m)
          token_factor[e] = kActivationLift * inverse_of_power(__ldg(p.activation_powers + token + e));
        if (channels && channel + e < p.n)
          channel_factor[e] = kWeightLift * inverse_of_power(__ldg(p.weight_powers + channel + e));
      }
    }

    __device__ RawScales fetch(int step) const {
      RawScales raw{};
#pragma unroll
      for (int g = 0; g < 2; ++g) {
        const int group = 2 * step + g;
        if (tokens && group < groups) raw.tokens[g] = __ldg(tokens + group * token_stride);
        if (channels && group < groups) raw.channels[g] = __ldg(channels + group * channel_stride);
      }
      return raw;
    }
  };

  // A factor of 0 marks what lies beyond the edge, whose bits may be anything.
  static __device__ uint32_t relative(uint32_t raw, const float (&factor)[2]) {
    const float2 s = unpack_halves<HalfType::kBf16>(raw);
    return pack_halves<HalfType::kFp16>(factor[0] > 0 ? s.x * factor[0] : 0.0f,
                                        factor[1] > 0 ? s.y * factor[1] : 0.0f);
  }

  __device__ void put(const Scales& scales, const RawScales& raw, StageCursor& cursor) const {
    barrier_wait(&shared_.empty[cursor.slot], cursor.parity ^ 1);
    ExactStage& stage = shared_.stages[cursor.slot];
    const int c = scales.number;
#pragma unroll
    for (int g = 0; g < 2; ++g) {
      if (2 * c < kTokens)
        stage.activation_scales[g][scale_slot(2 * c) / 2] = relative(raw.tokens[g], scales.token_factor);
      if (2 * c >= kExactChannels) continue;
      const uint32_t pair = relative(raw.channels[g], scales.channel_factor);
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int row = 2 * c + e;
        uint32_t* slot = reinterpret_cast<uint32_t*>(&stage.weight_scales[g][row / 16 * 8 + row % 8]);
        slot[row / 8 % 2] = __byte_perm(pair, 0, e == 0 ? 0x1010 : 0x3232);
      }
    }
    __syncwarp();
    if (threadIdx.x % 32 == 0) barrier_arrive(&shared_.full[cursor.slot]);
    cursor.advance();
  }

  const ExactParameters& p_;
  ExactShared& shared_;
  const ExactTiles<Shape> tiles_;
};

}  // namespace svdlab::device
