#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>

#include "tests/kernels/emulated/fibers.h"

// The names of CUDA C++ that host code does not have. Included before a kernel's source.

#define threadIdx (::svdlab::emulated::current->thread)
#define blockIdx (::svdlab::emulated::current->block_index)
#define gridDim (::svdlab::emulated::grid_dim)
#define __launch_bounds__(...)
#define __grid_constant__
#define __noinline__
#define __syncthreads() ::svdlab::emulated::wait(::svdlab::emulated::current->block->barrier)
#define __syncwarp() ::svdlab::emulated::wait(::svdlab::emulated::warp().barrier)

using std::max;
using std::min;

template <class T>
T __ldg(const T* p) {
  return *p;
}

template <class T>
void __stcg(T* p, T value) {
  *p = value;
}

template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return svdlab::emulated::exchanged(value, svdlab::emulated::lane() ^ mask);
}

template <class T>
T __shfl_sync(unsigned, T value, int from) {
  return svdlab::emulated::exchanged(value, from);
}

inline bool __all_sync(unsigned, bool value) {
  const uint32_t mine[1] = {value};
  uint32_t all[32][1];
  svdlab::emulated::gather(mine, all);
  return std::all_of(std::begin(all), std::end(all), [](const auto& lane) { return lane[0] != 0; });
}

inline int atomicMax(int* at, int value) {
  const int old = *at;
  *at = std::max(old, value);
  return old;
}

inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __expf(float x) { return std::exp(x); }
inline float __fdividef(float a, float b) { return a / b; }

inline uint32_t __byte_perm(uint32_t low, uint32_t high, uint32_t selector) {
  const uint64_t bytes = low | static_cast<uint64_t>(high) << 32;
  uint32_t out = 0;
  for (int i = 0; i < 4; ++i)
    out |= static_cast<uint32_t>(bytes >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
  return out;
}

inline __half2 __hfma2(__half2 a, __half2 b, __half2 c) {
  const auto fused = [](float x, float y, float z) { return static_cast<float>(double{x} * y + z); };
  return __floats2half2_rn(fused(__low2float(a), __low2float(b), __low2float(c)),
                           fused(__high2float(a), __high2float(b), __high2float(c)));
}

namespace svdlab::device {

inline float max_or_nan(float a, float b) { return a != a || b != b ? NAN : std::max(a, b); }
inline float near_inverse(float x) {
  return std::fabs(x) < 0x1p-126f ? std::copysign(INFINITY, x) : 1.0f / x;
}

inline float near_power_of_two(float x) { return std::exp2(x); }

}  // namespace svdlab::device
