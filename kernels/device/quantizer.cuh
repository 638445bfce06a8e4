#pragma once
#include "kernels/device/cluster.cuh"
#include "kernels/device/mma.cuh"
#include "kernels/device/quantize_group.cuh"
#include "kernels/device/quantize_pieces.h"
#include "kernels/quantize_fuse_down.h"

namespace svdlab::device {

inline constexpr int kQuantizeThreads = 128;
inline constexpr unsigned kAllLanes = 0xffffffffu;

struct QuantizeParameters {
  const uint16_t* x;
  int64_t x_stride;
  int rows, groups, pieces;
  InputStep step;
  Modulation modulation;
  CodeLayout layout;
  bool is_unsigned;
  const float* divide_by;
  float shift;
  const uint16_t *down, *down_low;
  int64_t down_stride, down_low_stride;
  int rank;
  uint8_t *codes, *scales;
  int64_t code_stride, scale_stride;
  float *row_powers, *low_rank;
  int64_t low_rank_stride;
  bool continues;
};

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

template <int kTiles>
struct QuantizeShared {
  float sums[kTiles > 0 ? kQuantizeRows : 1][kTiles > 0 ? 8 * kTiles : 1];
  float row_max[kQuantizeRows];
  float count[kQuantizeRows], mean[kQuantizeRows], squares[kQuantizeRows];
};

// 16 successive columns of two rows, eight apart: operand A of mma m16n8k16 as it stands, when a product's
// columns are dealt out so that step j takes columns 4 j .. 4 j + 3 of each lane. Both operands are dealt so.
struct Slice {
  uint32_t words[2][8];
};

template <HalfType kType, int kTiles, QuantizeKind kKind>
class Quantizer {
 public:
  __device__ Quantizer(const QuantizeParameters& p, QuantizeShared<kTiles>& shared)
      : p_(p),
        shared_(shared),
        piece_(blockIdx.x % p.pieces),
        lane_(threadIdx.x % 32),
        local_row_(threadIdx.x / 32 * 16 + lane_ / 4),
        row_(static_cast<int>(blockIdx.x / p.pieces) * kQuantizeRows + local_row_),
        first_(piece_begin(p.groups, piece_, p.pieces)),
        last_(piece_begin(p.groups, piece_ + 1, p.pieces)) {}

  __device__ void run() {
    if (p_.step == InputStep::kLayerNormModulate) find_moments();
    if constexpr (kPerToken) find_token_scales();
    Slice next = load(first_);
    for (int g = first_; g < last_; ++g) {
      Slice slice = next;
      next = load(g + 1);
      apply_step(slice, g);
      if constexpr (kTiles > 0) {
        project(slice, p_.down, p_.down_stride, g);
        if (p_.down_low) project(slice, p_.down_low, p_.down_low_stride, g);
      }
      quantize(slice, g);
    }
    finish();
  }

 private:
  static constexpr bool kPerToken = kKind == QuantizeKind::kInt8;

  __device__ int column(int g) const { return 64 * g + 16 * (lane_ % 4); }
  __device__ bool has_row(int h) const { return row_ + 8 * h < p_.rows; }

  __device__ Slice load(int g) const {
    Slice slice{};
    if (g >= last_) return slice;
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      if (!has_row(h)) continue;
      const auto* from = reinterpret_cast<const uint4*>(p_.x + (row_ + 8 * h) * p_.x_stride + column(g));
      const uint4 low = __ldg(from), high = __ldg(from + 1);
      uint32_t(&w)[8] = slice.words[h];
      w[0] = low.x, w[1] = low.y, w[2] = low.z, w[3] = low.w;
      w[4] = high.x, w[5] = high.y, w[6] = high.z, w[7] = high.w;
    }
    return slice;
  }

  // The tanh form, as x / (1 + exp(-2 u)).
  static __device__ float gelu(float x) {
    const float u = 0.7978845608028654f * (x + 0.044715f * x * x * x);
    return __fdividef(x, 1.0f + __expf(fminf(-2.0f * u, 80.0f)));
  }

  __device__ void apply_step(Slice& slice, int g) const {
    if (p_.step == InputStep::kGelu) apply_gelu(slice);
    if (p_.step == InputStep::kLayerNormModulate) apply_modulation(slice, g);
  }

  static __device__ void apply_gelu(Slice& slice) {
#pragma unroll
    for (int i = 0; i < 8; ++i)
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const float2 x = unpack_halves<kType>(slice.words[h][i]);
        slice.words[h][i] = pack_halves<kType>(gelu(x.x), gelu(x.y));
      }
  }

  __device__ void apply_modulation(Slice& slice, int g) const {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int c = column(g) + 2 * i;
      const float2 shift =
          unpack_halves<kType>(__ldg(reinterpret_cast<const uint32_t*>(p_.modulation.shift + c)));
      float2 by = unpack_halves<kType>(__ldg(reinterpret_cast<const uint32_t*>(p_.modulation.scale + c)));
      by = unpack_halves<kType>(pack_halves<kType>(1.0f + by.x, 1.0f + by.y));
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const float2 x = unpack_halves<kType>(slice.words[h][i]);
        const float2 n = unpack_halves<kType>(
            pack_halves<kType>((x.x - mean_[h]) * deviation_[h], (x.y - mean_[h]) * deviation_[h]));
        slice.words[h][i] = pack_halves<kType>(n.x * by.x + shift.x, n.y * by.y + shift.y);
      }
    }
  }

  __device__ void project(const Slice& slice, const uint16_t* down, int64_t stride, int g) {
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      // Up to rank 32 the rows beyond the rank are read as others, and not stored: no branch delays the
      // loads.
      if (kTiles > 4 && 8 * tile >= p_.rank) break;
      const auto* from = reinterpret_cast<const uint4*>(
          down + (min(8 * tile, p_.rank - 8) + lane_ / 4) * stride + column(g));
      const uint4 low = __ldg(from), high = __ldg(from + 1);
      const uint32_t b[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const uint32_t a[4] = {slice.words[0][2 * j], slice.words[1][2 * j], slice.words[0][2 * j + 1],
                               slice.words[1][2 * j + 1]};
        mma_16bit<kType>(sums_[tile], a, b[2 * j], b[2 * j + 1]);
      }
    }
  }

  // x + shift of both rows.
  __device__ void values(const Slice& slice, float (&v)[2][16]) const {
#pragma unroll
    for (int h = 0; h < 2; ++h)
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float2 pair = unpack_halves<kType>(slice.words[h][i]);
        v[h][2 * i] = pair.x;
        v[h][2 * i + 1] = pair.y;
      }
    if (p_.shift == 0) return;
#pragma unroll
    for (int h = 0; h < 2; ++h)
#pragma unroll
      for (int i = 0; i < 16; ++i) v[h][i] += p_.shift;
  }

  template <bool kTrueDivision>
  __device__ void divide(int g, float (&v)[2][16]) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float4 by = __ldg(reinterpret_cast<const float4*>(p_.divide_by + column(g)) + i);
      const float divisors[4] = {by.x, by.y, by.z, by.w};
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const float divisor = divisors[e], inverse = near_inverse(divisor);
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          float& x = v[h][4 * i + e];
          x = kTrueDivision ? __fdiv_rn(x, divisor) : divide_by_inverse(x, divisor, inverse);
        }
      }
    }
  }

  // The largest |v|, or of unsigned codes v, of the group that a thread's values belong to; NaN or infinity
  // if a value is not finite.
  __device__ float group_amax(const float (&v)[16]) const {
    float amax = 0;
#pragma unroll
    for (int i = 0; i < 16; ++i) amax = max_or_nan(amax, fabsf(v[i]));
    if (kKind == QuantizeKind::kInteger4 && p_.is_unsigned && amax < float_of(0x7f800000u)) {
      amax = 0;
#pragma unroll
      for (int i = 0; i < 16; ++i) amax = fmaxf(amax, v[i]);
    }
    if constexpr (kKind == QuantizeKind::kE2M1) return amax;
    amax = max_or_nan(amax, __shfl_xor_sync(kAllLanes, amax, 1));
    return max_or_nan(amax, __shfl_xor_sync(kAllLanes, amax, 2));
  }

  // (x + shift) / divide_by of both rows, each row's group_amax, and whether all of the warp's groups lie
  // where divide_by_inverse serves.
  __device__ bool divided_values(const Slice& slice, int g, float (&v)[2][16], float (&amax)[2]) const {
    values(slice, v);
    if (p_.divide_by) divide<false>(g, v);
    amax[0] = group_amax(v[0]);
    amax[1] = group_amax(v[1]);
    const bool usual = __all_sync(
        kAllLanes, (in_fast_range(amax[0]) || !has_row(0)) && (in_fast_range(amax[1]) || !has_row(1)));
    if (!usual && p_.divide_by) {
      values(slice, v);
      divide<true>(g, v);
      amax[0] = group_amax(v[0]);
      amax[1] = group_amax(v[1]);
    }
    return usual;
  }

  __device__ void quantize(const Slice& slice, int g) {
    float v[2][16], amax[2];
    const bool usual = divided_values(slice, g, v, amax);
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const float scale = kPerToken ? token_scale_[h]
                          : usual   ? usual_group_scale<kKind>(p_.is_unsigned, amax[h])
                                    : group_scale<kKind>(p_.is_unsigned, amax[h]);
      float divisor = scale;
      if (!usual) {
        const float factor = range_factor(kPerToken ? scale : amax[h]);
        divisor *= factor;
#pragma unroll
        for (float& value : v[h]) value *= factor;
      }
      if (!has_row(h)) continue;
      const int64_t row = row_ + 8 * h;
      store_codes<kKind>(p_.layout, p_.is_unsigned, v[h], divisor, p_.codes + row * p_.code_stride,
                         column(g));
      row_max_[h] = fmaxf(row_max_[h], scale);
      store_scale(row, g, scale);
    }
  }

  __device__ void store_scale(int64_t row, int g, float scale) const {
    if constexpr (kKind == QuantizeKind::kE2M1) {
      p_.scales[row * p_.scale_stride + 4 * g + lane_ % 4] =
          __nv_cvt_float_to_fp8(scale, __NV_SATFINITE, __NV_E4M3);
    } else if constexpr (kPerToken) {
      if (lane_ % 4 == 0 && g == 0) reinterpret_cast<float*>(p_.scales)[row] = scale;
    } else {
      if (lane_ % 4 == 0)
        reinterpret_cast<uint16_t*>(p_.scales)[g * p_.scale_stride + row] =
            static_cast<uint16_t>(bits_of(scale) >> 16);
    }
  }

  __device__ void find_moments() {
    Moments moments[2];
    for (int g = first_; g < last_; ++g) {
      const Slice slice = load(g);
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        float mean = 0, squares = 0;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          const float2 x = unpack_halves<kType>(slice.words[h][i]);
          mean += (x.x + x.y) * 0.0625f;
        }
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          const float2 x = unpack_halves<kType>(slice.words[h][i]);
          squares += (x.x - mean) * (x.x - mean) + (x.y - mean) * (x.y - mean);
        }
        moments[h].merge(16, mean, squares);
      }
    }
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      Moments& m = moments[h];
#pragma unroll
      for (int step = 1; step <= 2; step *= 2)
        m.merge(__shfl_xor_sync(kAllLanes, m.count, step), __shfl_xor_sync(kAllLanes, m.mean, step),
                __shfl_xor_sync(kAllLanes, m.squares, step));
      const int row = local_row_ + 8 * h;
      if (lane_ % 4 == 0)
        shared_.count[row] = m.count, shared_.mean[row] = m.mean, shared_.squares[row] = m.squares;
    }
    cluster_barrier(p_.pieces);
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      Moments all;
      const int row = local_row_ + 8 * h;
      for (int piece = 0; piece < p_.pieces; ++piece)
        all.merge(read_of_block(&shared_.count[row], piece, p_.pieces),
                  read_of_block(&shared_.mean[row], piece, p_.pieces),
                  read_of_block(&shared_.squares[row], piece, p_.pieces));
      mean_[h] = all.mean;
      deviation_[h] = __frcp_rn(__fsqrt_rn(all.squares / all.count + p_.modulation.epsilon));
    }
  }

  __device__ void find_token_scales() {
    float amax[2] = {0, 0};
    for (int g = first_; g < last_; ++g) {
      Slice slice = load(g);
      apply_step(slice, g);
      float v[2][16], of_group[2];
      divided_values(slice, g, v, of_group);
#pragma unroll
      for (int h = 0; h < 2; ++h) amax[h] = max_or_nan(amax[h], of_group[h]);
    }
#pragma unroll
    for (int h = 0; h < 2; ++h)
      if (lane_ % 4 == 0) shared_.row_max[local_row_ + 8 * h] = amax[h];
    cluster_barrier(p_.pieces);
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      for (int piece = 0; piece < p_.pieces; ++piece)
        amax[h] = max_or_nan(amax[h], read_of_block(&shared_.row_max[local_row_ + 8 * h], piece, p_.pieces));
      token_scale_[h] = group_scale<kKind>(false, amax[h]);
    }
    cluster_barrier(p_.pieces);  // row_max is written again by finish()
  }

  // Adds up the pieces in their order, each block for its share of the rows.
  __device__ void finish() {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float largest = row_max_[h];
      largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 1));
      largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 2));
      if (lane_ % 4 == 0) shared_.row_max[local_row_ + 8 * h] = largest;
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile)
#pragma unroll
        for (int e = 0; e < 2; ++e)
          shared_.sums[local_row_ + 8 * h][8 * tile + 2 * (lane_ % 4) + e] = sums_[tile][2 * h + e];
    }
    cluster_barrier(p_.pieces);
    const int share = kQuantizeRows / p_.pieces, begin = piece_ * share;
    const int64_t block_row = row_ - local_row_;
    for (int i = threadIdx.x; i < share * p_.rank; i += kQuantizeThreads) {
      const int row = begin + i / p_.rank, r = i % p_.rank;
      if (block_row + row >= p_.rows) break;
      float sum = 0;
      for (int piece = 0; piece < p_.pieces; ++piece)
        sum += read_of_block(&shared_.sums[kTiles > 0 ? row : 0][kTiles > 0 ? r : 0], piece, p_.pieces);
      float& out = p_.low_rank[(block_row + row) * p_.low_rank_stride + r];
      out = p_.continues ? out + sum : sum;
    }
    const int row = begin + static_cast<int>(threadIdx.x);
    if (p_.row_powers && static_cast<int>(threadIdx.x) < share && block_row + row < p_.rows) {
      float largest = 0;
      for (int piece = 0; piece < p_.pieces; ++piece)
        largest = fmaxf(largest, read_of_block(&shared_.row_max[row], piece, p_.pieces));
      const float power = float_of(bits_of(largest) & 0x7f800000u);
      float& out = p_.row_powers[block_row + row];
      out = p_.continues ? fmaxf(out, power) : power;
    }
    cluster_barrier(p_.pieces);  // no block leaves while another reads its memory
  }

  const QuantizeParameters& p_;
  QuantizeShared<kTiles>& shared_;
  const int piece_, lane_, local_row_, row_, first_, last_;
  float sums_[kTiles > 0 ? kTiles : 1][4] = {};
  float row_max_[2] = {0, 0}, mean_[2] = {0, 0}, deviation_[2] = {1, 1}, token_scale_[2] = {1, 1};
};

}  // namespace svdlab::device
