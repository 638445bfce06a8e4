#pragma once
#include <cstdlib>

#include "core/base/error.h"
#include "tests/kernels/emulated/intrinsics.h"

namespace svdlab::device {

struct Launch {
  dim3 grid, block;
  size_t shared_bytes = 0;
  unsigned cluster = 1;
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
