#include "kernels/device/checked.cuh"
#include "kernels/device/exact_loop.cuh"
#include "kernels/device/tensor_map.cuh"
#include "kernels/gemm_exact.cuh"

namespace svdlab::detail {
namespace {

using namespace device;

// Y^T = W X^T on wgmma. A block has three warpgroups: the first feeds, two multiply 64 channels each by all
// tokens of the tile. Codes of the activations come from memory as e4m3 bytes; those of the weights as
// nibbles, which become e4m3 in registers. The product of one group of 64 columns is a sum of integers in
// fp16, exact up to 2048; it is multiplied by both scales and added up in fp16 for eight groups, then in
// fp32.
template <int kTokens, int kCluster, bool kRope>
class ExactBlock {
 public:
  static constexpr int kStages = kTokens == 128 ? 5 : 4, kFlushStages = 4;
  using Shared = ExactShared<kTokens, kStages>;

  __device__ ExactBlock(const ExactParameters& p, Shared& shared)
      : p_(p),
        shared_(shared),
        rank_in_cluster_(blockIdx.x % kCluster),
        token_tiles_(static_cast<int>(pieces_of(p.m, kTokens))),
        channel_tiles_(static_cast<int>(pieces_of(p.n, kExactChannels * kCluster))),
        steps_(static_cast<int>(pieces_of(p.k, kExactStageColumns))) {}

  __device__ void run() {
    if (threadIdx.x == 0) {
      for (int s = 0; s < kStages; ++s) {
        barrier_init(&shared_.full[s], 1 + kExactConverters / 32);
        barrier_init(&shared_.empty[s], kCluster * kExactConsumers / 32);
      }
      barrier_init(&shared_.low_rank_full, 1);
      barrier_init(&shared_.low_rank_empty, kExactConsumers / 32);
      barrier_init_fence();
    }
    cluster_barrier(kCluster);
    if (threadIdx.x < kExactProducers) {
      keep_registers<40>();
      if (threadIdx.x >= 32)
        convert_scales();
      else if (threadIdx.x == 0)
        start_copies();
      __syncwarp();
    } else {
      take_registers<232>();
      consume();
    }
    cluster_barrier(kCluster);  // no block leaves while another copies to it or arrives at its barriers
  }

 private:
  struct Tile {
    int token, channel;  // the first ones
  };
  __device__ int first_tile() const { return blockIdx.x / kCluster; }
  __device__ int tile_step() const { return gridDim.x / kCluster; }
  __device__ int tile_count() const { return token_tiles_ * channel_tiles_; }
  __device__ Tile tile(int index) const {
    const Place at = tile_place(index, token_tiles_, channel_tiles_);
    return {at.row * kTokens, (at.col * kCluster + rank_in_cluster_) * kExactChannels};
  }

  // ---- the first warpgroup

  __device__ void start_copies() {
    StageCursor<kStages> cursor;
    unsigned low_rank_parity = 1;
    for (int index = first_tile(); index < tile_count(); index += tile_step()) {
      const Tile at = tile(index);
      for (int step = 0; step < steps_; ++step, cursor.advance()) {
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

  __device__ void start_stage(Tile at, int step, int slot) {
    ExactStage<kTokens>& stage = shared_.stages[slot];
    uint64_t* full = &shared_.full[slot];
    const int tiles_per_row = p_.k / 64, groups = min(2, tiles_per_row - 2 * step);
    const unsigned weight_bytes = groups * 2048;
    barrier_arrive_expect(full, sizeof stage.activations + 2 * weight_bytes);
    if constexpr (kCluster == 1) {
      copy_box(stage.activations, &p_.activations, step * kExactStageColumns, at.token, full);
    } else {
      constexpr int kShare = kTokens / kCluster;
      const int from = rank_in_cluster_ * kShare;
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

  // The scales as stored, bf16, become fp16 relative to their row's power of two.
  __device__ void convert_scales() {
    constexpr int kAhead = 3;  // stages that the loads run ahead of their use
    StageCursor<kStages> cursor;
    const int c = threadIdx.x - 32;
    for (int index = first_tile(); index < tile_count(); index += tile_step()) {
      const Tile at = tile(index);
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
      for (int step = 0; step < steps_; ++step, cursor.advance()) {
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

  static __device__ void put(ExactStage<kTokens>& stage, const RawScales& raw,
                             const float (&token_inverse)[2], const float (&channel_inverse)[2], int c) {
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

  // ---- the other two

  struct Consumer {
    int warpgroup, thread, warp, lane;
    float sums[kTokens / 2] = {};       // fp32, as wgmma_accumulator
    uint32_t recent[kTokens / 4] = {};  // half2: the groups since the last flush
  };

  __device__ void consume() {
    Consumer self;
    self.warpgroup = static_cast<int>(threadIdx.x) / 128 - 1;
    self.thread = threadIdx.x % 128;
    self.warp = self.thread / 32;
    self.lane = self.thread % 32;
    StageCursor<kStages> cursor;
    unsigned low_rank_parity = 0;
    for (int index = first_tile(); index < tile_count(); index += tile_step()) {
      const Tile at = tile(index);
      for (int i = self.thread; i < kTokens; i += 128)
        shared_.token_factor[self.warpgroup][i] =
            at.token + i < p_.m ? kExactUnit * __ldg(p_.activation_powers + at.token + i) : 0.0f;
#pragma unroll
      for (float& sum : self.sums) sum = 0.0f;
      for (int step = 0; step < steps_; ++step, cursor.advance()) {
        barrier_wait(&shared_.full[cursor.slot], cursor.parity);
        multiply_stage(self, shared_.stages[cursor.slot]);
        release(&shared_.empty[cursor.slot], self.lane);
        if (step % kFlushStages == kFlushStages - 1) flush(self);
      }
      flush(self);
      finish(self, at, low_rank_parity);
    }
    if (self.thread == 0) stores_have_read();
  }

  static __device__ void release(uint64_t* empty, int lane) {
    __syncwarp();
    if constexpr (kCluster == 1) {
      if (lane == 0) barrier_arrive(empty);
    } else {
      if (lane < kCluster) barrier_arrive_at(empty, lane);
    }
  }

  static __device__ void multiply_stage(Consumer& self, const ExactStage<kTokens>& stage) {
    const uint64_t tile = swizzled_tile(shared_address(stage.activations));
    uint4 words[2];
#pragma unroll
    for (int g = 0; g < 2; ++g)
      words[g] = *reinterpret_cast<const uint4*>(&stage.weights[self.warpgroup][g][16 * self.thread]);
#pragma unroll
    for (int g = 0; g < 2; ++g) {
      uint32_t product[kTokens / 4];
      const uint4 w = words[g];
      const uint32_t low[4] = {signed_low_values(w.x), signed_low_values(w.y), signed_high_values(w.x),
                               signed_high_values(w.y)};
      const uint32_t high[4] = {signed_low_values(w.z), signed_low_values(w.w), signed_high_values(w.z),
                                signed_high_values(w.w)};
      wgmma_fence();
      wgmma_e4m3(product, low, tile + 4 * g, 0);
      wgmma_e4m3(product, high, tile + 4 * g + 2, 1);
      wgmma_commit();
      const uint2 by_row = stage.weight_scales[g][(4 * self.warpgroup + self.warp) * 8 + self.lane / 4];
      wgmma_wait();
      pin(product);
      promote(self.recent, product, stage.activation_scales[g], by_row, self.lane);
    }
  }

  // recent += product * (token's scale * channel's scale), in fp16.
  static __device__ void promote(uint32_t (&recent)[kTokens / 4], const uint32_t (&product)[kTokens / 4],
                                 const uint32_t* token_scales, uint2 by_row, int lane) {
    const __half2 rows[2] = {as_half2(by_row.x), as_half2(by_row.y)};
#pragma unroll
    for (int block = 0; block < kTokens / 32; ++block) {
      const uint4 four = *reinterpret_cast<const uint4*>(token_scales + 16 * block + 4 * (lane % 4));
      const uint32_t tokens[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
      for (int j = 0; j < 4; ++j)
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          const int i = 8 * block + 2 * j + h;
          const __half2 scale = __hmul2(as_half2(tokens[j]), rows[h]);
          recent[i] = as_word(__hfma2(as_half2(product[i]), scale, as_half2(recent[i])));
        }
    }
  }

  static __device__ __half2 as_half2(uint32_t word) {
    __half2 out;
    memcpy(&out, &word, 4);
    return out;
  }
  static __device__ uint32_t as_word(__half2 pair) {
    uint32_t out;
    memcpy(&out, &pair, 4);
    return out;
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

  __device__ void finish(Consumer& self, Tile at, unsigned& low_rank_parity) {
    const int row = at.channel + 64 * self.warpgroup + 16 * self.warp + self.lane / 4;  // and row + 8
    float factor[2], bias[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int channel = row + 8 * h;
      const bool inside = channel < p_.n;
      factor[h] = inside ? __ldg(p_.weight_powers + channel) : 0.0f;
      if (inside && p_.channel_scale) factor[h] *= __ldg(p_.channel_scale + channel);
      bias[h] = inside && p_.bias ? __ldg(p_.bias + channel) : 0.0f;
    }
    named_barrier(1 + self.warpgroup, 128);  // token_factor is complete
    const float* by_token = shared_.token_factor[self.warpgroup] + 2 * (self.lane % 4);
#pragma unroll
    for (int j = 0; j < kTokens / 8; ++j) {
      const float2 t = *reinterpret_cast<const float2*>(by_token + 8 * j);
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        self.sums[4 * j + 2 * h] *= t.x * factor[h];
        self.sums[4 * j + 2 * h + 1] *= t.y * factor[h];
      }
    }
    for (int r = 0; r < p_.rank; r += 32) {
      barrier_wait(&shared_.low_rank_full, low_rank_parity);
      low_rank_parity ^= 1;
      add_low_rank(self, row, r);
      __syncwarp();
      if (self.lane == 0) barrier_arrive(&shared_.low_rank_empty);
    }
#pragma unroll
    for (int i = 0; i < kTokens / 2; ++i) self.sums[i] += bias[i / 2 % 2];
    if constexpr (kRope) norm_rope(self, at, row);
    store(self, at);
  }

  // Up to 32 ranks from r on, as tf32: up is exact, low_rank loses its last 13 bits.
  __device__ void add_low_rank(Consumer& self, int row, int r) {
    const uint64_t tile = swizzled_tile(shared_address(shared_.low_rank));
    const int steps = min(32, p_.rank - r) / 8;
    uint32_t up[4][4];
#pragma unroll
    for (int s = 0; s < 4; ++s)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int channel = row + 8 * (i % 2), column = r + 8 * s + self.lane % 4 + 4 * (i / 2);
        up[s][i] = s < steps && channel < p_.n
                       ? bits_of(half_value(p_.up_type, __ldg(p_.up + channel * p_.up_stride + column)))
                       : 0u;
      }
    wgmma_fence();
#pragma unroll
    for (int s = 0; s < 4; ++s) wgmma_tf32(self.sums, up[s], tile + 2 * s, 1);
    wgmma_commit();
    wgmma_wait();
    pin(self.sums);
  }

  // A head lies in one warpgroup (64 channels) or in both.
  __device__ void norm_rope(Consumer& self, Tile at, int row) {
    const ExactRope& rope = p_.rope;
    const int head = (at.channel + 64 * self.warpgroup) / rope.head_dim;
    if (head >= 2 * rope.heads) return;
    const bool both = rope.head_dim == 128;
    const int barrier = both ? 3 : 1 + self.warpgroup, threads = both ? 256 : 128;
    float* squares = shared_.squares[4 * self.warpgroup + self.warp];
#pragma unroll
    for (int i = 0; i < kTokens / 2; i += 2) {
      const float2 pair = rounded_pair(self.sums[i], self.sums[i + 1]);
      self.sums[i] = pair.x;
      self.sums[i + 1] = pair.y;
    }
#pragma unroll
    for (int j = 0; j < kTokens / 8; ++j)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const float low = self.sums[4 * j + e], high = self.sums[4 * j + 2 + e];
        float sum = low * low + high * high;
#pragma unroll
        for (int step = 4; step < 32; step *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
        if (self.lane < 4) squares[8 * j + 2 * self.lane + e] = sum;
      }
    named_barrier(barrier, threads);
    const int first = both ? 0 : 4 * self.warpgroup;
    const float* weight = head < rope.heads ? rope.query_weight : rope.key_weight;
    const int channel = row % rope.head_dim;
    const float by[2] = {__ldg(weight + channel), __ldg(weight + channel + 8)};
    const bool odd = channel % 2 != 0;
#pragma unroll
    for (int j = 0; j < kTokens / 8; ++j)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int token = 8 * j + 2 * (self.lane % 4) + e;
        float sum = 0;
        for (int w = 0; w < (both ? 8 : 4); ++w) sum += shared_.squares[first + w][token];
        const float inverse = __frcp_rn(__fsqrt_rn(sum / rope.head_dim + rope.epsilon));
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          float& value = self.sums[4 * j + 2 * h + e];
          const float normed = rounded_pair(value * inverse * by[h], 0.0f).x;
          const float other = __shfl_xor_sync(0xffffffffu, normed, 4);
          float cosine = 0, sine = 0;
          if (at.token + token < p_.m) {
            const float* angle =
                rope.table + (at.token + token) * rope.table_stride + (channel + 8 * h) / 2 * 2;
            cosine = __ldg(angle);
            sine = __ldg(angle + 1);
          }
          value = odd ? other * sine + normed * cosine : normed * cosine - other * sine;
        }
      }
    named_barrier(barrier, threads);  // the sums of squares have been read
  }

  __device__ float2 rounded_pair(float a, float b) const {
    return p_.out_type == HalfType::kBf16
               ? unpack_halves<HalfType::kBf16>(pack_halves<HalfType::kBf16>(a, b))
               : unpack_halves<HalfType::kFp16>(pack_halves<HalfType::kFp16>(a, b));
  }

  __device__ void store(Consumer& self, Tile at) {
    uint8_t* staging = shared_.out[self.warpgroup];
    if (self.thread == 0) stores_have_read();
    named_barrier(1 + self.warpgroup, 128);
    const Place target = stmatrix_target(self.lane);
    const int byte = 2 * (16 * self.warp + target.row);
    const uint32_t base = shared_address(staging);
#pragma unroll
    for (int i = 0; i < kTokens / 16; ++i) {
      const float* s = self.sums + 8 * i;
      store_transposed(base + swizzle_128(16 * i + target.col, byte), pack_halves(p_.out_type, s[0], s[1]),
                       pack_halves(p_.out_type, s[2], s[3]), pack_halves(p_.out_type, s[4], s[5]),
                       pack_halves(p_.out_type, s[6], s[7]));
    }
    fence_shared_for_engines();
    named_barrier(1 + self.warpgroup, 128);
    const int channel = at.channel + 64 * self.warpgroup;
    if (self.thread == 0 && channel < p_.n) store_box(&p_.out, channel, at.token, staging);
  }

  const ExactParameters& p_;
  Shared& shared_;
  const int rank_in_cluster_, token_tiles_, channel_tiles_, steps_;
};

template <int kTokens, int kCluster, bool kRope>
__global__ __launch_bounds__(kExactProducers + kExactConsumers,
                             1) void exact_kernel(const __grid_constant__ ExactParameters p) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  extern __shared__ __align__(1024) uint8_t memory[];
  using Block = ExactBlock<kTokens, kCluster, kRope>;
  Block(p, *reinterpret_cast<typename Block::Shared*>(memory)).run();
#endif
}

template <int kTokens, int kCluster, bool kRope>
void start(const ExactParameters& p, cudaStream_t stream) {
  const int blocks = device_attribute(cudaDevAttrMultiProcessorCount) / kCluster * kCluster;
  const int64_t tiles = pieces_of(p.m, kTokens) * pieces_of(p.n, kExactChannels * kCluster) * kCluster;
  launch({.grid = dim3(static_cast<unsigned>(tiles < blocks ? tiles : blocks)),
          .block = dim3(kExactProducers + kExactConsumers),
          .shared_bytes = sizeof(typename ExactBlock<kTokens, kCluster, kRope>::Shared),
          .cluster = kCluster,
          .stream = stream},
         exact_kernel<kTokens, kCluster, kRope>, p);
}

ExactParameters parameters(const GemmQuantized& op, ExactTiling tiling) {
  const int rank = static_cast<int>(op.low_rank.cols);
  ExactParameters p{.activations = tensor_map({.data = op.a.codes,
                                               .rows = op.a.rows,
                                               .cols = op.a.cols,
                                               .row_bytes = op.a.code_stride,
                                               .box_rows = tiling.tokens / tiling.cluster}),
                    .out = tensor_map({.type = CU_TENSOR_MAP_DATA_TYPE_UINT16,
                                       .element_bytes = 2,
                                       .data = op.out.bits.data,
                                       .rows = op.a.rows,
                                       .cols = op.w.rows,
                                       .row_bytes = 2 * op.out.bits.row_stride,
                                       .box_rows = tiling.tokens}),
                    .m = static_cast<int>(op.a.rows),
                    .n = static_cast<int>(op.w.rows),
                    .k = static_cast<int>(op.a.cols),
                    .rank = rank,
                    .weights = op.w.codes,
                    .activation_scales = reinterpret_cast<const uint16_t*>(op.a.scales),
                    .weight_scales = reinterpret_cast<const uint16_t*>(op.w.scales),
                    .activation_scale_stride = op.a.scale_stride,
                    .weight_scale_stride = op.w.scale_stride,
                    .activation_powers = op.a.row_powers,
                    .weight_powers = op.w.row_powers,
                    .channel_scale = op.channel_scale,
                    .bias = op.bias,
                    .up = op.up.bits.data,
                    .up_stride = op.up.bits.row_stride,
                    .up_type = op.up.type,
                    .out_type = op.out.type};
  if (rank > 0)
    p.low_rank = tensor_map({.type = CU_TENSOR_MAP_DATA_TYPE_FLOAT32,
                             .element_bytes = 4,
                             .data = op.low_rank.data,
                             .rows = op.low_rank.rows,
                             .cols = op.low_rank.cols,
                             .row_bytes = 4 * op.low_rank.row_stride,
                             .box_rows = tiling.tokens});
  if (op.norm_rope)
    p.rope = {static_cast<int>(op.norm_rope->heads),
              static_cast<int>(op.norm_rope->head_dim),
              op.norm_rope->query_weight,
              op.norm_rope->key_weight,
              op.norm_rope->epsilon,
              op.norm_rope->table.data,
              op.norm_rope->table.row_stride};
  return p;
}

}  // namespace

void gemm_exact_cuda(const GemmQuantized& op, ExactTiling tiling, Stream stream) {
  const auto handle = static_cast<cudaStream_t>(stream.handle);
  if (op.norm_rope) {
    tiling = {.tokens = 128, .cluster = 1};
    return start<128, 1, true>(parameters(op, tiling), handle);
  }
  const ExactParameters p = parameters(op, tiling);
  if (tiling.tokens == 128 && tiling.cluster == 1) return start<128, 1, false>(p, handle);
  if (tiling.tokens == 128 && tiling.cluster == 2) return start<128, 2, false>(p, handle);
  if (tiling.tokens == 192 && tiling.cluster == 1) return start<192, 1, false>(p, handle);
  if (tiling.tokens == 192 && tiling.cluster == 2) return start<192, 2, false>(p, handle);
  throw Error(Errc::kUnexpected, concat("exact loop: no kernel for tiles of ", tiling.tokens,
                                        " tokens in clusters of ", tiling.cluster));
}

void gemm_exact_cuda(const GemmQuantized& op, Stream stream) {
  gemm_exact_cuda(op, exact_tiling(op.a.rows, op.w.rows, device_attribute(cudaDevAttrMultiProcessorCount)),
                  stream);
}

}  // namespace svdlab::detail
