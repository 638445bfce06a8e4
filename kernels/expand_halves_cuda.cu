#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include "kernels/device/checked.cuh"
#include "kernels/device/expand_halves.h"
#include "kernels/expand_halves.cuh"

namespace svdlab::detail {
namespace {

using namespace device;

constexpr int kThreads = 256;

struct Parameters {
  const uint8_t *codes, *scales;
  int64_t code_stride, scale_stride;
  uint16_t* out;
  int rows, blocks;  // blocks of 64 columns
};

__device__ __half2 halves(uint32_t bits) {
  __half2 out;
  memcpy(&out, &bits, 4);
  return out;
}

// Places 8 q .. 8 q + 7 of a block: see nibble_column.
__device__ void expand_e2m1(const Parameters& p, int64_t row, int block, int q, __half2 (&out)[4]) {
  const uint8_t* codes = p.codes + row * p.code_stride + 32 * block;
  const uint4 low = __ldg(reinterpret_cast<const uint4*>(codes)),
              high = __ldg(reinterpret_cast<const uint4*>(codes) + 1);
  const uint32_t scales =
      __ldg(reinterpret_cast<const uint32_t*>(p.scales + row * p.scale_stride + 4 * block));
  const bool second = q / 4 == 1;
  const uint32_t words[4] = {second ? low.y : low.x, second ? low.w : low.z, second ? high.y : high.x,
                             second ? high.w : high.z};
#pragma unroll
  for (int c = 0; c < 4; ++c) {
    const __half_raw scale = __nv_cvt_fp8_to_halfraw(static_cast<uint8_t>(scales >> 8 * c), __NV_E4M3);
    out[c] = __hmul2(halves(e2m1_as_half2(words[c], q % 4)),
                     __half2half2(__hmul(__half(scale), __float2half(kE4M3HalfLift))));
  }
}

// The same for fragment_column.
__device__ void expand_int8(const Parameters& p, int64_t row, int block, int q, __half2 (&out)[4]) {
  const auto* codes =
      reinterpret_cast<const uint4*>(p.codes + row * p.code_stride + 64 * block + 32 * (q / 4));
  const uint4 low = __ldg(codes), high = __ldg(codes + 1);
  const uint32_t lows[4] = {low.x, low.y, low.z, low.w}, highs[4] = {high.x, high.y, high.z, high.w};
#pragma unroll
  for (int c = 0; c < 4; ++c)
    out[c] = __hsub2(halves(int8_plus_excess(lows[c], highs[c], q % 4)), __float2half2_rn(kInt8Excess));
}

// Eight threads make a block of 64 columns, 16 bytes each.
template <bool kE2M1>
__global__ __launch_bounds__(kThreads) void expand_kernel(const __grid_constant__ Parameters p) {
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x, blocks = index / 8;
  const int64_t row = blocks / p.blocks;
  const int block = static_cast<int>(blocks % p.blocks), q = threadIdx.x % 8;
  if (row >= p.rows) return;
  __half2 out[4];
  if constexpr (kE2M1)
    expand_e2m1(p, row, block, q, out);
  else
    expand_int8(p, row, block, q, out);
  uint4 words;
  memcpy(&words, out, 16);
  *reinterpret_cast<uint4*>(p.out + (row * p.blocks + block) * 64 + 8 * q) = words;
}

}  // namespace

void expand_halves_cuda(const PackedMatrix& a, uint16_t* out, Stream stream) {
  const Parameters p{.codes = a.codes,
                     .scales = a.scales,
                     .code_stride = a.code_stride,
                     .scale_stride = a.scale_stride,
                     .out = out,
                     .rows = static_cast<int>(a.rows),
                     .blocks = static_cast<int>(a.cols / 64)};
  const int64_t threads = a.rows * (a.cols / 8);
  const Launch how{.grid = dim3(static_cast<unsigned>((threads + kThreads - 1) / kThreads)),
                   .block = dim3(kThreads),
                   .stream = static_cast<cudaStream_t>(stream.handle)};
  if (a.format == NumberFormat::kFp4E2M1)
    launch(how, expand_kernel<true>, p);
  else
    launch(how, expand_kernel<false>, p);
}

}  // namespace svdlab::detail
