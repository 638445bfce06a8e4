#include <algorithm>

#include "core/formats/nf4.h"
#include "kernels/device/checked.cuh"
#include "kernels/device/mma.cuh"
#include "kernels/device/weight_only_small.cuh"
#include "kernels/gemm_weight_only.h"

namespace svdlab::detail {
namespace {

using namespace device;

constexpr int kWarps = 8, kChannels = 16, kUnit = 2;  // of a block; groups that a warp takes at a time

using Parameters = WeightOnlyParameters;

// A block takes 16 channels and 8 kTiles tokens; its warps share out K.
template <HalfType kType, bool kNf4, int kTiles>
class Block {
 public:
  struct Shared {
    float sums[kWarps][8 * kTiles][kChannels + 1];
    uint32_t nf4[16];  // high and low part of each value
  };

  __device__ Block(const Parameters& p, Shared& shared)
      : p_(p),
        shared_(shared),
        channel_(blockIdx.x * kChannels),
        token_(blockIdx.y * 8 * kTiles),
        warp_(threadIdx.x / 32),
        lane_(threadIdx.x % 32) {}

  __device__ void run() {
    if (kNf4 && threadIdx.x < 16) shared_.nf4[threadIdx.x] = nf4_parts<kType>(p_.nf4[threadIdx.x]);
    if constexpr (kNf4) __syncthreads();
    Codes next = fetch(kUnit * warp_);
    for (int g = kUnit * warp_; g < p_.groups; g += kUnit * kWarps) {
      const Codes codes = next;
      next = fetch(g + kUnit * kWarps);
#pragma unroll
      for (int u = 0; u < kUnit; ++u)
        if (g + u < p_.groups) multiply_group(codes.words[u], g + u);
    }
#pragma unroll
    for (int t = 0; t < kTiles; ++t)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        shared_.sums[warp_][8 * t + 2 * (lane_ % 4) + i % 2][lane_ / 4 + 8 * (i / 2)] = sums_[t][i];
    __syncthreads();
    finish();
  }

 private:
  struct Codes {
    uint2 words[kUnit][2];  // [group][row g or g + 8]: 16 codes
  };

  __device__ int channel(int h) const { return channel_ + lane_ / 4 + 8 * h; }

  __device__ Codes fetch(int g) const {
    Codes codes{};
#pragma unroll
    for (int u = 0; u < kUnit; ++u)
#pragma unroll
      for (int h = 0; h < 2; ++h)
        if (g + u < p_.groups && channel(h) < p_.n)
          codes.words[u][h] = __ldg(reinterpret_cast<const uint2*>(p_.codes + channel(h) * p_.code_stride +
                                                                   32 * (g + u) + 8 * (lane_ % 4)));
    return codes;
  }

  __device__ void multiply_group(const uint2 (&codes)[2], int g) {
    float scale[2];
#pragma unroll
    for (int h = 0; h < 2; ++h)
      scale[h] = channel(h) < p_.n
                     ? half_value(HalfType::kBf16, __ldg(p_.scales + g * p_.scale_stride + channel(h)))
                     : 0.0f;
    uint32_t a[4][4], rest[4][4];
    weight_operands<kType, kNf4>(shared_.nf4, codes, a, rest);
#pragma unroll
    for (int t = 0; t < kTiles; ++t) {
      if (token_ + 8 * t >= p_.m) break;
      uint32_t pairs[8];
      token_pairs<kType>(p_, token_ + 8 * t + lane_ / 4, g, lane_, pairs);
      float part[4] = {};
#pragma unroll
      for (int step = 0; step < 4; ++step) {
        mma_16bit<kType>(part, a[step], pairs[2 * step], pairs[2 * step + 1]);
        if constexpr (kNf4) mma_16bit<kType>(part, rest[step], pairs[2 * step], pairs[2 * step + 1]);
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) sums_[t][i] += part[i] * scale[i / 2];
    }
  }

  // The warps' sums in their order, the low-rank branch and the bias.
  __device__ void finish() const {
    for (int i = threadIdx.x; i < 8 * kTiles * kChannels; i += 32 * kWarps) {
      const int token = token_ + i / kChannels, channel = channel_ + i % kChannels;
      if (token >= p_.m || channel >= p_.n) continue;
      float sum = 0;
      for (int w = 0; w < kWarps; ++w) sum += shared_.sums[w][i / kChannels][i % kChannels];
      store_output<kType>(p_, token, channel, sum);
    }
  }

  const Parameters& p_;
  Shared& shared_;
  const int channel_, token_, warp_, lane_;
  float sums_[kTiles][4] = {};
};

template <HalfType kType, bool kNf4, int kTiles>
__global__ __launch_bounds__(32 * kWarps) void weight_only_kernel(const __grid_constant__ Parameters p) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  __shared__ typename Block<kType, kNf4, kTiles>::Shared shared;
  Block<kType, kNf4, kTiles>(p, shared).run();
#endif
}

template <HalfType kType, bool kNf4, int kTiles>
__global__ __launch_bounds__(SmallBlock<kType, kNf4, kTiles>::kThreads,
                             1) void small_kernel(const __grid_constant__ Parameters p) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  extern __shared__ __align__(16) uint8_t memory[];
  SmallBlock<kType, kNf4, kTiles>(p, memory).run();
#endif
}

template <HalfType kType, bool kNf4, int kTiles>
void start_small(const Parameters& p, cudaStream_t stream) {
  using Small = SmallBlock<kType, kNf4, kTiles>;
  const int tiles = (p.n + Small::kChannels - 1) / Small::kChannels;
  const Launch how{.grid = dim3(std::min(tiles, device_attribute(cudaDevAttrMultiProcessorCount))),
                   .block = dim3(Small::kThreads),
                   .shared_bytes = sizeof(typename Small::Shared),
                   .stream = stream};
  launch(how, small_kernel<kType, kNf4, kTiles>, p);
}

template <HalfType kType, bool kNf4>
void start(const Parameters& p, cudaStream_t stream) {
  if (p.m <= 8) return start_small<kType, kNf4, 1>(p, stream);
  if (p.m <= 16) return start_small<kType, kNf4, 2>(p, stream);
  constexpr int tiles = 8;
  const Launch how{.grid = dim3((p.n + kChannels - 1) / kChannels, (p.m + 8 * tiles - 1) / (8 * tiles)),
                   .block = dim3(32 * kWarps),
                   .stream = stream};
  launch(how, weight_only_kernel<kType, kNf4, tiles>, p);
}

}  // namespace

void gemm_weight_only_cuda(const GemmWeightOnly& op, Stream stream) {
  Parameters p{.x = op.x.bits.data,
               .x_stride = op.x.bits.row_stride,
               .m = static_cast<int>(op.x.rows()),
               .n = static_cast<int>(op.w.rows),
               .groups = static_cast<int>(op.w.cols / 64),
               .rank = static_cast<int>(op.up.cols()),
               .codes = op.w.codes,
               .code_stride = op.w.code_stride,
               .scales = reinterpret_cast<const uint16_t*>(op.w.scales),
               .scale_stride = op.w.scale_stride,
               .divide_by = op.divide_by,
               .bias = op.bias,
               .low_rank = op.low_rank.data,
               .low_rank_stride = op.low_rank.row_stride,
               .up = op.up.bits.data,
               .up_stride = op.up.bits.row_stride,
               .up_type = op.up.type,
               .out = op.out.bits.data,
               .out_stride = op.out.bits.row_stride};
  std::copy(kNf4Values.begin(), kNf4Values.end(), p.nf4);
  const auto handle = static_cast<cudaStream_t>(stream.handle);
  const bool nf4 = op.w.format == NumberFormat::kNf4;
  if (op.x.type == HalfType::kBf16)
    nf4 ? start<HalfType::kBf16, true>(p, handle) : start<HalfType::kBf16, false>(p, handle);
  else
    nf4 ? start<HalfType::kFp16, true>(p, handle) : start<HalfType::kFp16, false>(p, handle);
}

}  // namespace svdlab::detail
