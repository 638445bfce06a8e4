#pragma once
// The one place that knows torch versions: Debian's 1.13 (CPU) is the floor, 2.11 the CUDA build.
#include <torch/version.h>

#define SVDLAB_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

// A torch with CUDA generates this header; the others ship the rest of c10/cuda all the same.
#if __has_include(<c10/cuda/impl/cuda_cmake_macros.h>) && __has_include(<cuda_runtime_api.h>)
#define SVDLAB_TORCH_HAS_CUDA 1
#else
#define SVDLAB_TORCH_HAS_CUDA 0
#endif
