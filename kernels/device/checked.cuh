#pragma once
#include <cuda_runtime.h>

#include "core/base/error.h"

namespace svdlab::device {

/// Throws when a call of the CUDA runtime failed: with the call and CUDA's words for it.
inline void check_cuda(cudaError_t error, const char* call) {
  if (error == cudaSuccess) return;
  const Errc code = error == cudaErrorMemoryAllocation ? Errc::kResource : Errc::kUnexpected;
  throw Error(code, concat("CUDA: ", call, ": ", cudaGetErrorName(error), ": ", cudaGetErrorString(error)));
}

#define SVDLAB_CUDA(call) ::svdlab::device::check_cuda(call, #call)

struct Launch {
  dim3 grid, block;
  size_t shared_bytes = 0;  ///< dynamic
  unsigned cluster = 1;     ///< blocks along x that can read each other's shared memory
  cudaStream_t stream = nullptr;
};

/// Starts `kernel`; what only the run can tell comes with the next checked call.
template <class... Parameters, class... Arguments>
void launch(const Launch& how, void (*kernel)(Parameters...), const Arguments&... arguments) {
  if (how.shared_bytes > 48 * 1024)
    SVDLAB_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     static_cast<int>(how.shared_bytes)));
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = how.cluster;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = how.grid;
  config.blockDim = how.block;
  config.dynamicSmemBytes = how.shared_bytes;
  config.stream = how.stream;
  config.attrs = &attribute;
  config.numAttrs = how.cluster > 1 ? 1 : 0;
  SVDLAB_CUDA(cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...));
}

/// One attribute of the current device.
inline int device_attribute(cudaDeviceAttr attribute) {
  int device = 0, value = 0;
  SVDLAB_CUDA(cudaGetDevice(&device));
  SVDLAB_CUDA(cudaDeviceGetAttribute(&value, attribute, device));
  return value;
}

}  // namespace svdlab::device
