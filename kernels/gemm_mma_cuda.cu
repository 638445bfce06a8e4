#include "kernels/gemm_mma.cuh"

#include <cuda_fp8.h>

#include "kernels/device/checked.cuh"
#include "kernels/device/copy_async.cuh"
#include "kernels/device/mma_epilogue.cuh"
#include "kernels/device/mma_stage.h"
#include "kernels/device/weight_fragments.h"

namespace svdlab::detail {
namespace {

using namespace device;

enum class Kind { kW8A8, kW4A8, kS4, kNvfp4, kNvfp4Block };

constexpr int kThreads = 256, kStages = 4;
constexpr int kRowTiles = 4, kColTiles = 4;  // of a warp: 64 rows of activations, 32 of weights

struct Parameters {
  int groups;            // of 64 columns
  int row_bytes, steps;  // of the codes of a row, and stages that make it up
  const uint8_t *a, *w;  // codes
  int64_t a_stride, w_stride;
  const uint8_t *a_scales, *w_scales;
  int64_t a_scale_stride, w_scale_stride;
  int unsigned_from;  // group
  MmaEpilogue epilogue;
};

struct Stage {
  alignas(128) uint8_t a[kMmaTile * kMmaStageBytes], w[kMmaTile * kMmaStageBytes];
  alignas(8) uint8_t a_scales[kMmaTile][8], w_scales[kMmaTile][8];  // nvfp4: e4m3
};

// A block of eight warps, two by four, makes 128 x 128 of the output. A stage is 64 bytes of each row: 64
// columns of int8, 128 of 4-bit codes.
template <Kind kKind>
class Block {
 public:
  __device__ Block(const Parameters& p, Stage* stages)
      : p_(p),
        stages_(stages),
        row_(blockIdx.y * kMmaTile),
        col_(blockIdx.x * kMmaTile),
        lane_(threadIdx.x % 32),
        warp_row_(threadIdx.x / 32 % 2 * 64),
        warp_col_(threadIdx.x / 64 * 32) {}

  __device__ void run() {
    for (int s = 0; s < kStages - 1; ++s) load(s);
    for (int step = 0; step < p_.steps; ++step) {
      copy_async_wait<kStages - 2>();
      __syncthreads();  // this stage has arrived for all, and all are done with the one that load() fills
      load(step + kStages - 1);
      multiply(stages_[step % kStages], step);
    }
    if constexpr (kKind == Kind::kW8A8) promote(-1);
    finish_tile(p_.epilogue, sums_, row_ + warp_row_, col_ + warp_col_);
  }

 private:
  static constexpr bool kFragments = kKind == Kind::kW4A8;

  __device__ void load(int step) {
    if (step < p_.steps) {
      Stage& stage = stages_[step % kStages];
      load_rows(stage.a, p_.a, p_.a_stride, row_, p_.epilogue.m, step);
      if constexpr (kFragments)
        load_fragments(stage.w, step);
      else
        load_rows(stage.w, p_.w, p_.w_stride, col_, p_.epilogue.n, step);
      if constexpr (kKind == Kind::kNvfp4 || kKind == Kind::kNvfp4Block) load_scales(stage, step);
    }
    copy_async_commit();
  }

  __device__ void load_rows(uint8_t* to, const uint8_t* codes, int64_t stride, int first, int rows,
                            int step) const {
#pragma unroll
    for (int i = threadIdx.x; i < kMmaTile * 4; i += kThreads) {
      const int row = i / 4, chunk = i % 4, byte = step * kMmaStageBytes + 16 * chunk;
      const bool inside = first + row < rows && byte < p_.row_bytes;
      copy_async<16>(to + mma_chunk(row, chunk), codes + (inside ? (first + row) * stride + byte : 0),
                     inside);
    }
  }

  // Two tiles of 64 x 64 as they lie in memory.
  __device__ void load_fragments(uint8_t* to, int step) const {
    const int row_tile = col_ / 64 + threadIdx.x / 128;
    const bool inside = row_tile < (p_.epilogue.n + 63) / 64;
    const int64_t from = (static_cast<int64_t>(row_tile) * p_.groups + step) * kFragmentTileBytes;
    copy_async<16>(to + 16 * threadIdx.x, p_.w + (inside ? from + 16 * (threadIdx.x % 128) : 0), inside);
  }

  // Eight scales of each row; four of them when K ends in the middle of the stage, the others never used but
  // with codes 0.
  __device__ void load_scales(Stage& stage, int step) const {
    const int row = threadIdx.x % kMmaTile;
    const bool weights = threadIdx.x >= kMmaTile;
    const int first = weights ? col_ : row_, rows = weights ? p_.epilogue.n : p_.epilogue.m;
    const uint8_t* scales = weights ? p_.w_scales : p_.a_scales;
    const int64_t stride = weights ? p_.w_scale_stride : p_.a_scale_stride;
    const bool inside = first + row < rows;
    copy_async<8>(weights ? stage.w_scales[row] : stage.a_scales[row],
                  scales + (inside ? (first + row) * stride + 8 * step : 0), inside);
  }

  __device__ void multiply(const Stage& stage, int step) {
    if constexpr (kKind == Kind::kNvfp4)
      multiply_nvfp4(stage, step);
    else if constexpr (kKind == Kind::kNvfp4Block)
      multiply_scaled(stage, step);
    else
      multiply_integers(stage, step);
  }

  __device__ void multiply_integers(const Stage& stage, int step) {
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      uint32_t b[kColTiles][2];
      weights_of(stage, s, b);
      // Two groups a stage for 4-bit codes, a step each; the second may lie beyond K, where codes are 0.
      const bool is_unsigned = kKind == Kind::kS4 && 2 * step + s >= p_.unsigned_from;
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i) {
        uint32_t a[4];
        const Place at = mma_a_chunk(lane_, s);
        load_matrices(a, stage.a + mma_chunk(warp_row_ + 16 * i + at.row, at.col));
#pragma unroll
        for (int j = 0; j < kColTiles; ++j) {
          if constexpr (kKind == Kind::kS4)
            mma_s4(parts_[i][j], a, b[j][0], b[j][1], is_unsigned);
          else
            mma_s8(parts_[i][j], a, b[j][0], b[j][1]);
        }
      }
      if constexpr (kKind == Kind::kS4) promote(2 * step + s);
    }
    if constexpr (kKind == Kind::kW4A8) promote(step);
  }

  __device__ void weights_of(const Stage& stage, int s, uint32_t (&b)[kColTiles][2]) const {
#pragma unroll
    for (int pair = 0; pair < kColTiles / 2; ++pair) {
      if constexpr (kFragments) {
        const int slab = warp_col_ / 16 + pair;  // of 16 rows
        const uint4 words = *reinterpret_cast<const uint4*>(stage.w + 512 * slab + 16 * lane_);
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const uint32_t word = s == 0 ? (i == 0 ? words.x : words.y) : (i == 0 ? words.z : words.w);
          b[2 * pair + i][0] = int8_of_nibbles(word);
          b[2 * pair + i][1] = int8_of_nibbles(word >> 16);
        }
      } else {
        uint32_t four[4];
        const Place at = mma_b_chunk(lane_, s);
        load_matrices(four, stage.w + mma_chunk(warp_col_ + 16 * pair + at.row, at.col));
        b[2 * pair][0] = four[0], b[2 * pair][1] = four[1];
        b[2 * pair + 1][0] = four[2], b[2 * pair + 1][1] = four[3];
      }
    }
  }

  // The scales go into the instruction.
  __device__ void multiply_scaled(const Stage& stage, int step) {
    const int g = lane_ / 4;
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      const bool inside = 2 * step + s < p_.groups;  // else NaN scales could meet codes 0
      uint32_t b[kColTiles][2], scales[kColTiles];
      weights_of(stage, s, b);
#pragma unroll
      for (int j = 0; j < kColTiles; ++j)
        scales[j] = four_scales(stage.w_scales[warp_col_ + 8 * j + g], s, inside);
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i) {
        uint32_t a[4];
        const Place at = mma_a_chunk(lane_, s);
        load_matrices(a, stage.a + mma_chunk(warp_row_ + 16 * i + at.row, at.col));
        const uint32_t of_rows =
            four_scales(stage.a_scales[warp_row_ + 16 * i + g + lane_ % 2 * 8], s, inside);
#pragma unroll
        for (int j = 0; j < kColTiles; ++j)
          mma_e2m1_scaled(sums_[i][j], a, b[j][0], b[j][1], of_rows, scales[j]);
      }
    }
  }

  static __device__ uint32_t four_scales(const uint8_t (&row)[8], int s, bool inside) {
    return inside ? *reinterpret_cast<const uint32_t*>(row + 4 * s) : 0u;
  }

  // sums += parts * the scales of group `group` (-1: none); parts = 0.
  __device__ void promote(int group) {
    float by_col[kColTiles][2], by_row[kRowTiles][2];
    const bool scaled = group >= 0 && group < p_.groups;
#pragma unroll
    for (int j = 0; j < kColTiles; ++j) {
      const int n = col_ + warp_col_ + 8 * j + 2 * (lane_ % 4);
      const auto* row = reinterpret_cast<const uint16_t*>(p_.w_scales) + group * p_.w_scale_stride;
      const float2 two =
          scaled && n < p_.epilogue.n
              ? unpack_halves<HalfType::kBf16>(__ldg(reinterpret_cast<const uint32_t*>(row + n)))
              : float2{1.0f, 1.0f};
      by_col[j][0] = two.x, by_col[j][1] = two.y;
    }
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i)
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        const int m = row_ + warp_row_ + 16 * i + lane_ / 4 + 8 * h;
        const auto* row = reinterpret_cast<const uint16_t*>(p_.a_scales) + group * p_.a_scale_stride;
        by_row[i][h] = kKind == Kind::kS4 && scaled && m < p_.epilogue.m
                           ? half_value(HalfType::kBf16, __ldg(row + m))
                           : 1.0f;
      }
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i)
#pragma unroll
      for (int j = 0; j < kColTiles; ++j)
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          sums_[i][j][k] += static_cast<float>(parts_[i][j][k]) * (by_row[i][k / 2] * by_col[j][k % 2]);
          parts_[i][j][k] = 0;
        }
  }

  // Codes times scales are exact in fp16, so the columns of a stage may be dealt out at will: lane c of a
  // quad takes 32 columns, 16 bytes, of every row, and step j its columns 4 j .. 4 j + 3. Both operands are
  // dealt so.
  __device__ void multiply_nvfp4(const Stage& stage, int step) {
    const int g = lane_ / 4, c = lane_ % 4;
    const bool inside = step * kMmaStageBytes + 16 * c < p_.row_bytes;  // else NaN scales could meet codes 0
#pragma unroll
    for (int word = 0; word < 4; ++word) {
      uint32_t b[kColTiles][4];
#pragma unroll
      for (int j = 0; j < kColTiles; ++j)
        halves_of(stage.w, stage.w_scales, warp_col_ + 8 * j + g, c, word, inside, b[j]);
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i) {
        uint32_t low[4], high[4];
        halves_of(stage.a, stage.a_scales, warp_row_ + 16 * i + g, c, word, inside, low);
        halves_of(stage.a, stage.a_scales, warp_row_ + 16 * i + g + 8, c, word, inside, high);
#pragma unroll
        for (int s = 0; s < 2; ++s) {
          const uint32_t a[4] = {low[2 * s], high[2 * s], low[2 * s + 1], high[2 * s + 1]};
#pragma unroll
          for (int j = 0; j < kColTiles; ++j)
            mma_16bit<HalfType::kFp16>(sums_[i][j], a, b[j][2 * s], b[j][2 * s + 1]);
        }
      }
    }
  }

  // Word `word` of chunk `chunk` of a row, eight codes, times their scale: e2m1 2^-14 by e4m3 2^7.
  static __device__ void halves_of(const uint8_t* codes, const uint8_t (*scales)[8], int row, int chunk,
                                   int word, bool inside, uint32_t (&out)[4]) {
    const uint32_t bits = *reinterpret_cast<const uint32_t*>(codes + mma_chunk(row, chunk) + 4 * word);
    const __half_raw raw = __nv_cvt_fp8_to_halfraw(scales[row][2 * chunk + word / 2], __NV_E4M3);
    const __half2 scale = inside ? __half2half2(__hmul(__half(raw), __float2half(kE4M3HalfLift))) : __half2{};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const uint32_t pair = e2m1_as_half2(bits, i);
      __half2 value;
      memcpy(&value, &pair, 4);
      value = __hmul2(value, scale);
      memcpy(&out[i], &value, 4);
    }
  }

  const Parameters& p_;
  Stage* stages_;
  const int row_, col_, lane_, warp_row_, warp_col_;
  int parts_[kRowTiles][kColTiles][4] = {};
  float sums_[kRowTiles][kColTiles][4] = {};
};

template <Kind kKind>
__global__ __launch_bounds__(kThreads) void mma_kernel(const __grid_constant__ Parameters p) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  extern __shared__ __align__(128) uint8_t memory[];
  Block<kKind>(p, reinterpret_cast<Stage*>(memory)).run();
#endif
}

// What is left of the units of the codes after the loop.
float unit_of(Kind kind) {
  if (kind == Kind::kW4A8) return 1.0f / 16.0f;
  if (kind == Kind::kNvfp4) return (kE2M1HalfUnit / kE4M3HalfLift) * (kE2M1HalfUnit / kE4M3HalfLift);
  return 1.0f;
}

Parameters parameters(const GemmQuantized& op, Kind kind) {
  const bool int8_rows = kind == Kind::kW8A8 || kind == Kind::kW4A8;
  const int row_bytes = static_cast<int>(int8_rows ? op.a.cols : op.a.cols / 2);
  return {.groups = static_cast<int>(op.a.cols / 64),
          .row_bytes = row_bytes,
          .steps = (row_bytes + kMmaStageBytes - 1) / kMmaStageBytes,
          .a = op.a.codes,
          .w = op.w.codes,
          .a_stride = op.a.code_stride,
          .w_stride = op.w.code_stride,
          .a_scales = op.a.scales,
          .w_scales = op.w.scales,
          .a_scale_stride = op.a.scale_stride,
          .w_scale_stride = op.w.scale_stride,
          .unsigned_from =
              static_cast<int>(op.a.unsigned_from < 0 ? op.a.cols / 64 + 1 : op.a.unsigned_from / 64),
          .epilogue = {
              .m = static_cast<int>(op.a.rows),
              .n = static_cast<int>(op.w.rows),
              .rank = static_cast<int>(op.up.cols()),
              .row_scale = int8_rows ? reinterpret_cast<const float*>(op.a.scales) : nullptr,
              .weight_scale = kind == Kind::kW8A8 ? reinterpret_cast<const float*>(op.w.scales) : nullptr,
              .channel_scale = op.channel_scale,
              .bias = op.bias,
              .factor = unit_of(kind) * op.a.tensor_scale * op.w.tensor_scale,
              .low_rank = op.low_rank.data,
              .up = op.up.bits.data,
              .out = op.out.bits.data,
              .low_rank_stride = op.low_rank.row_stride,
              .up_stride = op.up.bits.row_stride,
              .out_stride = op.out.bits.row_stride,
              .up_type = op.up.type,
              .out_type = op.out.type}};
}

template <Kind kKind>
void start(const GemmQuantized& op, Stream stream) {
  const Parameters p = parameters(op, kKind);
  launch({.grid = dim3((p.epilogue.n + kMmaTile - 1) / kMmaTile, (p.epilogue.m + kMmaTile - 1) / kMmaTile),
          .block = dim3(kThreads),
          .shared_bytes = kStages * sizeof(Stage),
          .stream = static_cast<cudaStream_t>(stream.handle)},
         mma_kernel<kKind>, p);
}

}  // namespace

void gemm_mma_cuda(const GemmQuantized& op, MainLoop loop, Stream stream) {
  switch (loop) {
    case MainLoop::kInt8:
      return op.w.format == NumberFormat::kInt8 ? start<Kind::kW8A8>(op, stream)
                                                : start<Kind::kW4A8>(op, stream);
    case MainLoop::kMmaS4:
      return start<Kind::kS4>(op, stream);
    case MainLoop::kNvfp4:
      return start<Kind::kNvfp4>(op, stream);
    case MainLoop::kNvfp4Block:
      return start<Kind::kNvfp4Block>(op, stream);
    default:
      throw Error(Errc::kUnexpected, concat("main loop ", to_string(loop), " is not one of mma's"));
  }
}

}  // namespace svdlab::detail
