#include <algorithm>

#include "core/formats/nf4.h"
#include "kernels/device/checked.cuh"
#include "kernels/device/half.cuh"
#include "kernels/device/half_codes.h"
#include "kernels/device/mma.cuh"
#include "kernels/gemm_weight_only.h"

namespace svdlab::detail {
namespace {

using namespace device;

constexpr int kWarps = 8, kChannels = 16, kUnit = 2;  // of a block; groups that a warp takes at a time

struct Parameters {
  const uint16_t* x;
  int64_t x_stride;
  int m, n, groups, rank;
  const uint8_t* codes;
  int64_t code_stride;
  const uint16_t* scales;
  int64_t scale_stride;
  const float *divide_by, *bias, *low_rank;
  int64_t low_rank_stride;
  const uint16_t* up;
  int64_t up_stride;
  HalfType up_type;
  uint16_t* out;
  int64_t out_stride;
  float nf4[16];
};

// Y^T = W X^T: operand A of mma m16n8k16 is 16 rows of the weights, B 8 tokens. Lane c of a quad takes
// columns 16 c .. 16 c + 15 of each group of 64, of every row of both operands; a step of 16 columns takes
// four of them from each lane. The warps share out K; codes are exact, scales are applied in fp32 after each
// group.
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
    if (kNf4 && threadIdx.x < 16) {
      const float value = p_.nf4[threadIdx.x];
      const uint32_t high = pack_halves<kType>(value, 0.0f) & 0xffffu;
      shared_.nf4[threadIdx.x] = high | pack_halves<kType>(0.0f, value - unpack_halves<kType>(high).x);
    }
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

  // The lane's 16 columns of one token, as eight pairs in the order of the codes.
  __device__ void tokens(int tile, int g, uint32_t (&pairs)[8]) const {
    const int token = token_ + 8 * tile + lane_ / 4, column = 64 * g + 16 * (lane_ % 4);
    if (token >= p_.m) {
#pragma unroll
      for (uint32_t& pair : pairs) pair = 0;
      return;
    }
    const auto* from = reinterpret_cast<const uint4*>(p_.x + token * p_.x_stride + column);
    const uint4 a = __ldg(from), b = __ldg(from + 1);
    uint32_t x[8] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
    if (p_.divide_by)
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float2 v = unpack_halves<kType>(x[i]);
        const float* by = p_.divide_by + column + 2 * i;
        x[i] = pack_halves<kType>(__fdiv_rn(v.x, __ldg(by)), __fdiv_rn(v.y, __ldg(by + 1)));
      }
      // Words hold columns 2 i and 2 i + 1; the codes come as columns i and i + 4 of each eight.
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const uint32_t low = x[4 * half + i / 2], high = x[4 * half + 2 + i / 2];
        pairs[4 * half + i] = __byte_perm(low, high, i % 2 ? 0x7632 : 0x5410);
      }
  }

  __device__ uint32_t weights(uint32_t word, int i, uint32_t* rest) const {
    if constexpr (kNf4) {
      const uint32_t a = shared_.nf4[word >> (4 * i) & 15u], b = shared_.nf4[word >> (4 * i + 16) & 15u];
      *rest = __byte_perm(a, b, 0x7632);
      return __byte_perm(a, b, 0x5410);
    }
    const uint32_t raised = int4_plus_excess(kType, word, i);
    uint32_t out;
    if constexpr (kType == HalfType::kBf16) {
      __nv_bfloat162 pair;
      memcpy(&pair, &raised, 4);
      pair = __hsub2(pair, __float2bfloat162_rn(int4_excess(kType)));
      memcpy(&out, &pair, 4);
    } else {
      __half2 pair;
      memcpy(&pair, &raised, 4);
      pair = __hsub2(pair, __float2half2_rn(int4_excess(kType)));
      memcpy(&out, &pair, 4);
    }
    return out;
  }

  __device__ void multiply_group(const uint2 (&codes)[2], int g) {
    float scale[2];
#pragma unroll
    for (int h = 0; h < 2; ++h)
      scale[h] = channel(h) < p_.n
                     ? half_value(HalfType::kBf16, __ldg(p_.scales + g * p_.scale_stride + channel(h)))
                     : 0.0f;
    uint32_t a[4][4], rest[4][4];
#pragma unroll
    for (int step = 0; step < 4; ++step)
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const uint2 row = codes[k % 2];
        a[step][k] = weights(step < 2 ? row.x : row.y, step % 2 * 2 + k / 2, &rest[step][k]);
      }
#pragma unroll
    for (int t = 0; t < kTiles; ++t) {
      if (token_ + 8 * t >= p_.m) break;
      uint32_t pairs[8];
      tokens(t, g, pairs);
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
      float low = 0;
      for (int r = 0; r < p_.rank; ++r)
        low += p_.low_rank[token * p_.low_rank_stride + r] *
               half_value(p_.up_type, p_.up[channel * p_.up_stride + r]);
      sum += low + (p_.bias ? p_.bias[channel] : 0.0f);
      p_.out[token * p_.out_stride + channel] = static_cast<uint16_t>(pack_halves<kType>(sum, 0.0f));
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

template <HalfType kType, bool kNf4>
void start(const Parameters& p, cudaStream_t stream) {
  const int tiles = p.m <= 8 ? 1 : p.m <= 16 ? 2 : 8;
  const Launch how{.grid = dim3((p.n + kChannels - 1) / kChannels, (p.m + 8 * tiles - 1) / (8 * tiles)),
                   .block = dim3(32 * kWarps),
                   .stream = stream};
  if (tiles == 1) return launch(how, weight_only_kernel<kType, kNf4, 1>, p);
  if (tiles == 2) return launch(how, weight_only_kernel<kType, kNf4, 2>, p);
  launch(how, weight_only_kernel<kType, kNf4, 8>, p);
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
