#pragma once
#include <cstdlib>
#include <cstring>

#include "core/base/error.h"
#include "tests/kernels/emulated/intrinsics.h"

// The runtime's calls that kernels' hosts make; all is done at once.
#define SVDLAB_CUDA(call) static_cast<void>(call)
#define cudaMemsetAsync(to, byte, bytes, stream) std::memset(to, byte, bytes)
#define cudaMemcpyAsync(to, from, bytes, kind, stream) std::memcpy(to, from, bytes)
#define cudaStreamSynchronize(stream) 0

namespace svdlab::device {

struct Launch {
  dim3 grid, block;
  size_t shared_bytes = 0;
  unsigned cluster = 1;
  bool balanced = false;
  cudaStream_t stream = nullptr;
};

template <class... Parameters, class... Arguments>
void launch(const Launch& how, void (*kernel)(Parameters...), const Arguments&... arguments) {
  emulated::run_grid(how.grid, how.block, how.shared_bytes, how.cluster, [&] { kernel(arguments...); });
}

// Few, so that a block gets several tiles.
inline int device_attribute(cudaDeviceAttr attribute) {
  return attribute == cudaDevAttrComputeCapabilityMajor ? 9 : 4;
}

template <class... Parameters>
int resident_clusters(const Launch&, void (*)(Parameters...)) {
  return 2;
}

}  // namespace svdlab::device
