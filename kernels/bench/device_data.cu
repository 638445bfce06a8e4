#include "kernels/bench/device_data.h"

#include <cuda_fp8.h>

#include "kernels/device/checked.cuh"
#include "kernels/device/half.cuh"
#include "kernels/device/weight_fragments.h"

namespace svdlab::bench {
namespace {

using namespace device;

__device__ uint32_t hashed(uint64_t counter, uint32_t seed) {
  uint64_t x = counter * 0x9e3779b97f4a7c15ull + seed * 0xd1342543de82ef95ull;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ x >> 27) * 0x94d049bb133111ebull;
  return static_cast<uint32_t>(x >> 32 ^ x);
}

__device__ float normal(uint64_t counter, uint32_t seed) {
  const float u = (hashed(2 * counter, seed) + 1.0f) * 0x1p-32f, v = hashed(2 * counter + 1, seed) * 0x1p-32f;
  return sqrtf(-2.0f * logf(u)) * cospif(2.0f * v);
}

__global__ void normal_kernel(void* out, DataKind kind, int64_t count, int64_t cols, float deviation,
                              bool outliers, uint32_t seed) {
  for (int64_t i = blockIdx.x * 256ll + threadIdx.x; i < count; i += gridDim.x * 256ll) {
    float value = deviation * normal(i, seed);
    if (outliers && i % cols % 97 == 13) value *= 20.0f;
    if (kind == DataKind::kBf16) static_cast<__nv_bfloat16*>(out)[i] = __float2bfloat16(value);
    if (kind == DataKind::kE4M3)
      static_cast<uint8_t*>(out)[i] = __nv_cvt_float_to_fp8(value, __NV_SATFINITE, __NV_E4M3);
    if (kind == DataKind::kInt8)
      static_cast<int8_t*>(out)[i] = static_cast<int8_t>(rintf(fminf(fmaxf(value, -127.0f), 127.0f)));
    if (kind == DataKind::kFp32) static_cast<float*>(out)[i] = value;
  }
}

__global__ void codes_kernel(uint32_t* out, int64_t words, bool sign_and_magnitude, uint32_t seed) {
  for (int64_t i = blockIdx.x * 256ll + threadIdx.x; i < words; i += gridDim.x * 256ll) {
    uint32_t word = 0;
    for (int e = 0; e < 8; ++e) {
      const int code = static_cast<int>(rintf(fminf(fmaxf(2.5f * normal(8 * i + e, seed), -7.0f), 7.0f)));
      if (sign_and_magnitude)
        word |= static_cast<uint32_t>(abs(code)) << signed_magnitude_bit(e) | static_cast<uint32_t>(code < 0)
                                                                                  << signed_sign_bit(e);
      else
        word |= (static_cast<uint32_t>(code) & 15u) << 4 * e;
    }
    out[i] = word;
  }
}

__global__ void scales_kernel(uint16_t* out, int64_t count, uint32_t seed) {
  for (int64_t i = blockIdx.x * 256ll + threadIdx.x; i < count; i += gridDim.x * 256ll)
    out[i] = static_cast<uint16_t>(0x3c00u | (hashed(i, seed) & 0x7fu));
}

__global__ void constant_kernel(float* out, int64_t count, float value) {
  for (int64_t i = blockIdx.x * 256ll + threadIdx.x; i < count; i += gridDim.x * 256ll) out[i] = value;
}

template <class... Parameters, class... Arguments>
void fill(void (*kernel)(Parameters...), const Arguments&... arguments) {
  launch({.grid = dim3(2048), .block = dim3(256)}, kernel, arguments...);
  SVDLAB_CUDA(cudaDeviceSynchronize());
}

}  // namespace

void fill_normal(void* out, DataKind kind, int64_t rows, int64_t cols, float deviation, bool outliers,
                 uint32_t seed) {
  fill(normal_kernel, out, kind, rows * cols, cols, deviation, outliers, seed);
}

void fill_codes(void* out, int64_t bytes, bool sign_and_magnitude, uint32_t seed) {
  fill(codes_kernel, static_cast<uint32_t*>(out), bytes / 4, sign_and_magnitude, seed);
}

void fill_scales(void* out, int64_t count, uint32_t seed) {
  fill(scales_kernel, static_cast<uint16_t*>(out), count, seed);
}

void fill_constant(void* out, int64_t count, float value) {
  fill(constant_kernel, static_cast<float*>(out), count, value);
}

}  // namespace svdlab::bench
