#pragma once
#include "kernels/device/mma.cuh"
#include "kernels/device/weight_only.cuh"

namespace svdlab::device {

// Up to 16 tokens, where the time is that of reading the weights once. One block a multiprocessor goes
// through tiles of 16 channels; each warp keeps its columns of x and of every tile, so that nothing but the
// sums passes between warps. Codes of kBatch tiles are under way at any time.
template <HalfType kType, bool kNf4, int kTiles>
class SmallBlock {
 public:
  static constexpr int kWarps = 24, kThreads = 32 * kWarps, kChannels = 16;

 private:
  static constexpr int kUnit = 2;                // groups of a warp in a chunk
  static constexpr int kChunk = kUnit * kWarps;  // of K
  static constexpr int kBatch = 3;               // tiles whose sums are added up together

 public:
  struct Shared {
    // Of each lane: operand B of a group, words 2 i and 2 i + 1 of step s and token tile t at i = s kTiles +
    // t; and what the excess of the codes brings into the sums of its two tokens.
    uint4 x[kWarps][kUnit][2 * kTiles][32];
    float2 excess[kWarps][kUnit][kTiles][32];
    float sums[kWarps][kBatch][8 * kTiles][kChannels + 1];
    uint32_t nf4[16];
  };

  __device__ SmallBlock(const WeightOnlyParameters& p, uint8_t* memory)
      : p_(p),
        shared_(*reinterpret_cast<Shared*>(memory)),
        warp_(threadIdx.x / 32),
        lane_(threadIdx.x % 32),
        tiles_((p.n + kChannels - 1) / kChannels),
        chunks_((p.groups + kChunk - 1) / kChunk) {}

  __device__ void run() {
    Codes codes[kBatch];
#pragma unroll
    for (int i = 0; i < kBatch; ++i) codes[i] = fetch(tile_of(0, i), 0);
    if (kNf4 && threadIdx.x < 16) shared_.nf4[threadIdx.x] = nf4_parts<kType>(p_.nf4[threadIdx.x]);
    if constexpr (kNf4) __syncthreads();
    for (int batch = 0; tile_of(batch, 0) < tiles_; ++batch) {
      for (int chunk = 0; chunk < chunks_; ++chunk) {
        if (batch == 0 || chunks_ > 1) keep_tokens(chunk);
        const bool last = chunk + 1 == chunks_;
#pragma unroll
        for (int i = 0; i < kBatch; ++i) {
          const Codes now = codes[i];
          codes[i] = fetch(tile_of(batch + last, i), last ? 0 : chunk + 1);
          if (tile_of(batch, i) < tiles_) multiply(now, i, chunk);
        }
      }
      __syncthreads();
      finish(batch);
      __syncthreads();
    }
  }

 private:
  struct Codes {
    uint2 words[kUnit][2];  // [group][row g or g + 8]: 16 codes
    uint32_t scales;        // of lanes 8 u ..: two channels each of group u
  };

  __device__ int tile_of(int batch, int i) const { return blockIdx.x + (batch * kBatch + i) * gridDim.x; }
  __device__ int group(int chunk, int u) const { return kChunk * chunk + kUnit * warp_ + u; }

  // Groups and rows beyond the last are the last: their x is 0, or their sums are not stored.
  __device__ Codes fetch(int tile, int chunk) const {
    Codes codes{};
    if (tile >= tiles_) return codes;
    const int64_t high_row = kChannels * tile + 8 < p_.n ? 8 * p_.code_stride : 0;
    const uint8_t* row = p_.codes + (kChannels * tile + lane_ / 4) * p_.code_stride + 8 * (lane_ % 4);
#pragma unroll
    for (int u = 0; u < kUnit; ++u) {
      const uint8_t* from = row + 32 * min(group(chunk, u), p_.groups - 1);
      codes.words[u][0] = __ldg(reinterpret_cast<const uint2*>(from));
      codes.words[u][1] = __ldg(reinterpret_cast<const uint2*>(from + high_row));
    }
    const int pair = min(kChannels * tile + 2 * (lane_ % 8), p_.n - 2);
    const int g = min(group(chunk, min(lane_ / 8, kUnit - 1)), p_.groups - 1);
    codes.scales = __ldg(reinterpret_cast<const uint32_t*>(p_.scales + g * p_.scale_stride + pair));
    return codes;
  }

  // The scale of group u and row r of the tile.
  static __device__ float scale_of(const Codes& codes, int u, int r) {
    const uint32_t pair = __shfl_sync(0xffffffffu, codes.scales, 8 * u + r / 2);
    return float_of(r % 2 ? pair & 0xffff0000u : pair << 16);
  }

  // Each lane keeps what it will read itself.
  __device__ void keep_tokens(int chunk) {
#pragma unroll
    for (int u = 0; u < kUnit; ++u) {
      uint2 words[4 * kTiles];
#pragma unroll
      for (int t = 0; t < kTiles; ++t) {
        uint32_t pairs[8] = {};
        if (group(chunk, u) < p_.groups)
          token_pairs<kType>(p_, 8 * t + lane_ / 4, group(chunk, u), lane_, pairs);
#pragma unroll
        for (int step = 0; step < 4; ++step)
          words[step * kTiles + t] = {pairs[2 * step], pairs[2 * step + 1]};
        if constexpr (!kNf4) shared_.excess[warp_][u][t][lane_] = excess_of(pairs);
      }
#pragma unroll
      for (int i = 0; i < 2 * kTiles; ++i)
        shared_.x[warp_][u][i][lane_] = {words[2 * i].x, words[2 * i].y, words[2 * i + 1].x,
                                         words[2 * i + 1].y};
    }
  }

  // Minus the sum of x over the group times what each code has in excess, of the lane's tokens.
  static __device__ float2 excess_of(const uint32_t (&pairs)[8]) {
    const uint32_t one = pack_halves<kType>(1.0f, 1.0f), ones[4] = {one, one, one, one};
    float sums[4] = {};
#pragma unroll
    for (int step = 0; step < 4; ++step) mma_16bit<kType>(sums, ones, pairs[2 * step], pairs[2 * step + 1]);
    constexpr float kExcess = -kInt4SixteenthExcess / 16.0f;
    return {kExcess * sums[0], kExcess * sums[1]};
  }

  // Operand A of the four steps of a group; int4 as sixteenths with their excess.
  __device__ void weights(const uint2 (&codes)[2], uint32_t (&a)[4][4], uint32_t (&rest)[4][4]) const {
    if constexpr (kNf4) {
      weight_operands<kType, true>(shared_.nf4, codes, a, rest);
    } else {
#pragma unroll
      for (int step = 0; step < 4; ++step)
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          const uint2 row = codes[k % 2];
          a[step][k] = int4_sixteenths(kType, step < 2 ? row.x : row.y, step % 2 * 2 + k / 2);
        }
    }
  }

  __device__ void multiply(const Codes& codes, int i, int chunk) {
    constexpr float kUnitOfCodes = kNf4 ? 1.0f : 16.0f;
    float sums[kTiles][4] = {};
#pragma unroll
    for (int u = 0; u < kUnit; ++u) {
      const float scale[2] = {kUnitOfCodes * scale_of(codes, u, lane_ / 4),
                              kUnitOfCodes * scale_of(codes, u, lane_ / 4 + 8)};
      uint32_t a[4][4], rest[4][4];
      weights(codes.words[u], a, rest);
      float part[kTiles][4] = {};
      if constexpr (!kNf4) {
#pragma unroll
        for (int t = 0; t < kTiles; ++t) {
          const float2 excess = shared_.excess[warp_][u][t][lane_];
          part[t][0] = part[t][2] = excess.x;
          part[t][1] = part[t][3] = excess.y;
        }
      }
#pragma unroll
      for (int j = 0; j < 2 * kTiles; ++j) {
        const uint4 b = shared_.x[warp_][u][j][lane_];
        multiply_step(part[2 * j % kTiles], a, rest, 2 * j / kTiles, b.x, b.y);
        multiply_step(part[(2 * j + 1) % kTiles], a, rest, (2 * j + 1) / kTiles, b.z, b.w);
      }
#pragma unroll
      for (int t = 0; t < kTiles; ++t)
#pragma unroll
        for (int e = 0; e < 4; ++e) sums[t][e] += part[t][e] * scale[e / 2];
    }
#pragma unroll
    for (int t = 0; t < kTiles; ++t)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        float& sum = shared_.sums[warp_][i][8 * t + 2 * (lane_ % 4) + e % 2][lane_ / 4 + 8 * (e / 2)];
        sum = chunk > 0 ? sum + sums[t][e] : sums[t][e];
      }
  }

  static __device__ void multiply_step(float (&part)[4], const uint32_t (&a)[4][4],
                                       const uint32_t (&rest)[4][4], int step, uint32_t b0, uint32_t b1) {
    mma_16bit<kType>(part, a[step], b0, b1);
    if constexpr (kNf4) mma_16bit<kType>(part, rest[step], b0, b1);
  }

  // The warps' sums in their order.
  __device__ void finish(int batch) const {
    constexpr int kTokens = 8 * kTiles;
    for (int j = threadIdx.x; j < kBatch * kTokens * kChannels; j += kThreads) {
      const int i = j / (kTokens * kChannels), token = j / kChannels % kTokens;
      const int channel = kChannels * tile_of(batch, i) + j % kChannels;
      if (token >= p_.m || channel >= p_.n) continue;
      float sum = 0;
#pragma unroll
      for (int w = 0; w < kWarps; ++w) sum += shared_.sums[w][i][token][j % kChannels];
      store_output<kType>(p_, token, channel, sum);
    }
  }

  const WeightOnlyParameters& p_;
  Shared& shared_;
  const int warp_, lane_, tiles_, chunks_;
};

}  // namespace svdlab::device
