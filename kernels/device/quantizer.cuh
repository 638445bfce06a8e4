#pragma once
#include "kernels/device/cluster.cuh"
#include "kernels/device/fragments.h"
#include "kernels/device/mma.cuh"
#include "kernels/device/quantize_pieces.h"
#include "kernels/device/quantize_ring.cuh"

namespace svdlab::device {

// Mean and sum of squared deviations of `count` values; merged, never as a difference of large sums.
struct Moments {
  float count = 0, mean = 0, squares = 0;

  __device__ void merge(float other_count, float other_mean, float other_squares) {
    if (other_count == 0) return;
    const float total = count + other_count, delta = other_mean - mean, share = other_count / total;
    mean += delta * share;
    squares += other_squares + delta * delta * count * share;
    count = total;
  }
};

// What the blocks of a cluster read from each other; the sums lie where the ring was.
struct RowStatistics {
  float max[kQuantizeRows];
  float count[kQuantizeRows], mean[kQuantizeRows], squares[kQuantizeRows];
};

// Four lanes hold a row, of 64 columns 16 each; a warp holds 8 rows. The matrix instructions read x for
// themselves: warp w takes rows 16 (w % 4) .. + 15 and half of the ranks.
/// @tparam kStep  false: InputStep::kNone.
template <HalfType kType, int kTiles, QuantizeKind kKind, bool kStep>
class Quantizer {
 public:
  /// @param memory  the stages of the ring, then RowStatistics; aligned to 128 bytes.
  __device__ Quantizer(const QuantizeParameters& p, uint8_t* memory)
      : p_(p),
        memory_(memory),
        rows_(*reinterpret_cast<RowStatistics*>(memory + quantize_stages(kTiles) * p.stage_bytes)),
        piece_(blockIdx.x % p.pieces),
        lane_(threadIdx.x % 32),
        local_row_(threadIdx.x / 4),
        block_row_(static_cast<int>(blockIdx.x / p.pieces) * kQuantizeRows),
        row_(block_row_ + local_row_),
        ring_(p, memory, block_row_, piece_begin(p.groups, piece_, p.pieces),
              piece_begin(p.groups, piece_ + 1, p.pieces)),
        codes_(p.codes + row_ * p.code_stride + (p.layout == CodeLayout::kNibbles ? 8 : 16) * (lane_ % 4)) {}

  __device__ void run() {
    if (kStep && p_.step == InputStep::kLayerNormModulate) find_moments();
    if constexpr (kPerToken) find_token_scale();
    ring_.for_groups([&](int g, uint8_t* stage) {
      SliceRow x = row_of(stage);
      if constexpr (kStep) {
        apply_step(x, stage);
        if constexpr (kTiles > 0) put_back(x, stage);
      }
      if constexpr (kTiles > 0) {
        const int at = static_cast<int>(stage - memory_), factor = at + StagePlaces::kFactors;
        project(at, factor);
        if (p_.down_low) project(at, factor + kStageRowBytes * 8 * kTiles);
      }
      quantize(x, g, stage);
    });
    finish();
  }

 private:
  static constexpr bool kPerToken = kKind == QuantizeKind::kInt8;
  static constexpr int kWarpTiles = kTiles / 2;  // of 8 ranks

  __device__ int column(int g) const { return 64 * g + 16 * (lane_ % 4); }
  __device__ bool has_row() const { return row_ < p_.rows; }

  // Where the lane's 16 columns of its row lie in a stage: half 0, half 1.
  __device__ int place(int half) const { return swizzle_128(local_row_, 32 * (lane_ % 4) + 16 * half); }

  __device__ SliceRow row_of(const uint8_t* stage) const {
    const uint4 low = *reinterpret_cast<const uint4*>(stage + place(0));
    const uint4 high = *reinterpret_cast<const uint4*>(stage + place(1));
    return {{low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w}};
  }

  // The tanh form, as x / (1 + 2^(x (a + b x^2))).
  static __device__ float gelu(float x) {
    constexpr float a = -2.0f * 0.7978845608028654f * 1.4426950408889634f, b = a * 0.044715f;
    return x * near_inverse(1.0f + near_power_of_two(fminf(x * fmaf(b, x * x, a), 115.0f)));
  }

  __device__ void apply_step(SliceRow& x, const uint8_t* stage) const {
    if (p_.step == InputStep::kGelu) apply_gelu(x);
    if (p_.step == InputStep::kLayerNormModulate) apply_modulation(x, stage + StagePlaces::kModulation);
  }

  static __device__ void apply_gelu(SliceRow& x) {
#pragma unroll
    for (uint32_t& word : x.words) {
      const float2 pair = unpack_halves<kType>(word);
      word = pack_halves<kType>(gelu(pair.x), gelu(pair.y));
    }
  }

  __device__ void apply_modulation(SliceRow& x, const uint8_t* modulation) const {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const auto* pairs = reinterpret_cast<const uint32_t*>(modulation) + 8 * (lane_ % 4) + i;
      float2 by = unpack_halves<kType>(pairs[0]);
      const float2 shift = unpack_halves<kType>(pairs[32]);
      by = unpack_halves<kType>(pack_halves<kType>(1.0f + by.x, 1.0f + by.y));
      const float2 v = unpack_halves<kType>(x.words[i]);
      const float2 n =
          unpack_halves<kType>(pack_halves<kType>((v.x - mean_) * deviation_, (v.y - mean_) * deviation_));
      x.words[i] = pack_halves<kType>(n.x * by.x + shift.x, n.y * by.y + shift.y);
    }
  }

  // For the matrix instructions, which read x where it was copied to.
  __device__ void put_back(const SliceRow& x, uint8_t* stage) const {
    const uint32_t(&w)[8] = x.words;
    *reinterpret_cast<uint4*>(stage + place(0)) = {w[0], w[1], w[2], w[3]};
    *reinterpret_cast<uint4*>(stage + place(1)) = {w[4], w[5], w[6], w[7]};
    __syncthreads();
  }

  __device__ int tile_row() const { return threadIdx.x / 32 % 4 * 16; }
  __device__ int first_rank() const { return threadIdx.x / 128 * 8 * kWarpTiles; }

  // sums_ += x factor^T: steps of 16 columns, pairs of tiles of 8 ranks. Both start so many bytes into
  // memory_, at multiples of 128: a step's columns are found by turning over bits of the place.
  __device__ void project(int x, int factor) {
    if (first_rank() >= p_.rank) return;
    const int i = lane_ / 8, row = lane_ % 8;
    const int a_place = x + swizzle_128(tile_row() + row + i % 2 * 8, i / 2 * 16);
    const int b_place = factor + swizzle_128(first_rank() + row + i / 2 * 8, i % 2 * 16);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      uint32_t a[4];
      load_matrices(a, memory_ + (a_place ^ 32 * j));
#pragma unroll
      for (int tile = 0; tile < kWarpTiles; tile += 2) {
        uint32_t b[4];
        load_matrices(b, memory_ + (b_place ^ 32 * j) + 8 * tile * kStageRowBytes);
        mma_16bit<kType>(sums_[tile], a, b[0], b[1]);
        mma_16bit<kType>(sums_[tile + 1], a, b[2], b[3]);
      }
    }
  }

  // Codes and scale of the row by short arithmetic; false where they are not certain.
  __device__ bool quantize_shortly(const SliceRow& x, const uint8_t* stage, RowCodes* out) const {
    float v[16], amax = 0;
    unpack_row<kType>(x.words, p_.shift, v);
    const bool exact = p_.divide_by == nullptr;
    if (!exact) {
      const auto* inverses =
          reinterpret_cast<const float4*>(stage + StagePlaces::kInverses) + 4 * (lane_ % 4);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float4 by = inverses[i];
        const float inverse[4] = {by.x, by.y, by.z, by.w};
#pragma unroll
        for (int e = 0; e < 4; ++e) v[4 * i + e] = fmaf(v[4 * i + e], inverse[e], 0.0f);  // -0 becomes 0
      }
    }
    if (kKind == QuantizeKind::kInteger4 && p_.is_unsigned)
#pragma unroll
      for (float& value : v) {
        amax = fmaf(value, 0.0f, amax);  // NaN if it is not finite
        value = fmaxf(value, 0.0f);
      }
    bool certain = !unusual_;
    if constexpr (kPerToken) {
      out->scale = token_scale_;
      certain = certain && in_fast_range(out->scale);
    } else {
      amax = group_amax<kKind>(v, amax);
      certain = certain && short_group_scale<kKind>(p_.is_unsigned, amax, &out->scale);
    }
    uint32_t unsure = 0;
    out->codes = short_codes<kKind>(p_.layout, v, exact, out->scale, &unsure);
    return certain && unsure == 0;
  }

  __device__ void quantize(const SliceRow& x, int g, const uint8_t* stage) {
    RowCodes row;
    if (!__all_sync(kAllLanes, quantize_shortly(x, stage, &row)))
      row = quantize_exactly<kType, kKind>(p_, stage, column(g), x, token_scale_);
    if (!has_row()) return;
    store_words(p_.layout, row.codes, codes_ + (p_.layout == CodeLayout::kNibbles ? 32 * g : 64 * g));
    row_max_ = fmaxf(row_max_, row.scale);
    store_scale(g, row.scale);
  }

  __device__ void store_scale(int g, float scale) const {
    if constexpr (kKind == QuantizeKind::kE2M1) {
      p_.scales[row_ * p_.scale_stride + 4 * g + lane_ % 4] =
          __nv_cvt_float_to_fp8(scale, __NV_SATFINITE, __NV_E4M3);
    } else if constexpr (kPerToken) {
      if (lane_ % 4 == 0 && g == 0) reinterpret_cast<float*>(p_.scales)[row_] = scale;
    } else {
      if (lane_ % 4 == 0)
        reinterpret_cast<uint16_t*>(p_.scales)[g * p_.scale_stride + row_] =
            static_cast<uint16_t>(bits_of(scale) >> 16);
    }
  }

  __device__ void find_moments() {
    Moments m;
    ring_.for_groups([&](int, const uint8_t* stage) {
      const SliceRow x = row_of(stage);
      float mean = 0, squares = 0;
#pragma unroll
      for (const uint32_t word : x.words) {
        const float2 pair = unpack_halves<kType>(word);
        mean += (pair.x + pair.y) * 0.0625f;
      }
#pragma unroll
      for (const uint32_t word : x.words) {
        const float2 pair = unpack_halves<kType>(word);
        squares += (pair.x - mean) * (pair.x - mean) + (pair.y - mean) * (pair.y - mean);
      }
      m.merge(16, mean, squares);
    });
#pragma unroll
    for (int step = 1; step <= 2; step *= 2)
      m.merge(__shfl_xor_sync(kAllLanes, m.count, step), __shfl_xor_sync(kAllLanes, m.mean, step),
              __shfl_xor_sync(kAllLanes, m.squares, step));
    if (lane_ % 4 == 0) {
      rows_.count[local_row_] = m.count;
      rows_.mean[local_row_] = m.mean;
      rows_.squares[local_row_] = m.squares;
    }
    cluster_barrier(p_.pieces);
    Moments all;
    for (int piece = 0; piece < p_.pieces; ++piece)
      all.merge(read_of_block(&rows_.count[local_row_], piece, p_.pieces),
                read_of_block(&rows_.mean[local_row_], piece, p_.pieces),
                read_of_block(&rows_.squares[local_row_], piece, p_.pieces));
    mean_ = all.mean;
    deviation_ = __frcp_rn(__fsqrt_rn(all.squares / all.count + p_.modulation.epsilon));
  }

  // Whether the lane's columns have an inverse that is NaN: then no value tells.
  __device__ bool has_unusual_divisor(const uint8_t* stage) const {
    const auto* inverses = reinterpret_cast<const float4*>(stage + StagePlaces::kInverses) + 4 * (lane_ % 4);
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) sum += inverses[i].x + inverses[i].y + inverses[i].z + inverses[i].w;
    return sum != sum;
  }

  __device__ void find_token_scale() {
    float amax = 0;
    ring_.for_groups([&](int g, const uint8_t* stage) {
      SliceRow x = row_of(stage);
      if constexpr (kStep) apply_step(x, stage);
      if (p_.divide_by) unusual_ |= has_unusual_divisor(stage);
      float v[16];
      amax = max_or_nan(amax, exact_values<kType, QuantizeKind::kInt8>(p_, stage, column(g), x, v));
    });
    amax = quad_amax(amax);
    if (lane_ % 4 == 0) rows_.max[local_row_] = amax;
    cluster_barrier(p_.pieces);
    for (int piece = 0; piece < p_.pieces; ++piece)
      amax = max_or_nan(amax, read_of_block(&rows_.max[local_row_], piece, p_.pieces));
    token_scale_ = group_scale<kKind>(false, amax);
    cluster_barrier(p_.pieces);  // rows_.max is written again by finish()
  }

  __device__ float* sums() const { return reinterpret_cast<float*>(memory_); }
  // Of the sums, in numbers: eight rows of a warp then meet in few banks.
  __device__ int sum_stride() const { return p_.rank + 8; }

  __device__ void finish() {
    float largest = row_max_;
    largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 2));
    if (lane_ % 4 == 0) rows_.max[local_row_] = largest;
#pragma unroll
    for (int tile = 0; tile < kWarpTiles; ++tile)
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const int row = tile_row() + lane_ / 4 + 8 * h, r = first_rank() + 8 * tile + 2 * (lane_ % 4);
        if (r < p_.rank)
          *reinterpret_cast<float2*>(sums() + row * sum_stride() + r) = {sums_[tile][2 * h],
                                                                         sums_[tile][2 * h + 1]};
      }
    cluster_barrier(p_.pieces);
    if constexpr (kTiles > 0) add_sums();
    if (p_.row_powers) find_powers();
    cluster_rendezvous(p_.pieces);  // no block leaves while another reads its memory
  }

  // The pieces in their order, each block for its share of the rows.
  __device__ void add_sums() const {
    const int per_row = p_.rank / 4, quads = kQuantizeRows * per_row;
    for (int i = quads * piece_ / p_.pieces + threadIdx.x; i < quads * (piece_ + 1) / p_.pieces;
         i += kQuantizeThreads) {
      const int row = i / per_row, r = i % per_row * 4;
      if (block_row_ + row >= p_.rows) break;
      float4 parts[kMaxPieces];
#pragma unroll
      for (int piece = 0; piece < kMaxPieces; ++piece)
        if (piece < p_.pieces)
          parts[piece] = read4_of_block(sums() + row * sum_stride() + r, piece, p_.pieces);
      float4 sum = parts[0];
#pragma unroll
      for (int piece = 1; piece < kMaxPieces; ++piece)
        if (piece < p_.pieces) {
          sum.x += parts[piece].x, sum.y += parts[piece].y;
          sum.z += parts[piece].z, sum.w += parts[piece].w;
        }
      auto& out = *reinterpret_cast<float4*>(p_.low_rank + (block_row_ + row) * p_.low_rank_stride + r);
      if (p_.continues) sum = {out.x + sum.x, out.y + sum.y, out.z + sum.z, out.w + sum.w};
      out = sum;
    }
  }

  __device__ void find_powers() const {
    const int row = kQuantizeRows * piece_ / p_.pieces + static_cast<int>(threadIdx.x);
    if (row >= kQuantizeRows * (piece_ + 1) / p_.pieces || block_row_ + row >= p_.rows) return;
    float largest = 0;
#pragma unroll
    for (int piece = 0; piece < kMaxPieces; ++piece)
      if (piece < p_.pieces) largest = fmaxf(largest, read_of_block(&rows_.max[row], piece, p_.pieces));
    const float power = float_of(bits_of(largest) & 0x7f800000u);
    float& out = p_.row_powers[block_row_ + row];
    out = p_.continues ? fmaxf(out, power) : power;
  }

  const QuantizeParameters& p_;
  uint8_t* const memory_;
  RowStatistics& rows_;
  const int piece_, lane_, local_row_, block_row_, row_;
  QuantizeRing<kTiles, kStep> ring_;
  uint8_t* const codes_;  // of the lane's columns in group 0
  float sums_[kTiles > 0 ? kWarpTiles : 1][4] = {};
  float row_max_ = 0, mean_ = 0, deviation_ = 1, token_scale_ = 1;
  bool unusual_ = false;
};

}  // namespace svdlab::device
