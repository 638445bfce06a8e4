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
  bool balanced = false;    ///< clusters go where most room is, not as far from each other as can be
  cudaStream_t stream = nullptr;
};

/// `how` as the runtime wants it; holds the attributes that the configuration points at.
class LaunchConfig {
 public:
  template <class... Parameters>
  LaunchConfig(const Launch& how, void (*kernel)(Parameters...)) {
    if (how.shared_bytes > 48 * 1024)
      SVDLAB_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                       static_cast<int>(how.shared_bytes)));
    attributes_[0].id = cudaLaunchAttributeClusterDimension;
    attributes_[0].val.clusterDim = {how.cluster, 1, 1};
    attributes_[1].id = cudaLaunchAttributeClusterSchedulingPolicyPreference;
    attributes_[1].val.clusterSchedulingPolicyPreference = cudaClusterSchedulingPolicyLoadBalancing;
    config_.gridDim = how.grid;
    config_.blockDim = how.block;
    config_.dynamicSmemBytes = how.shared_bytes;
    config_.stream = how.stream;
    config_.attrs = attributes_;
    config_.numAttrs = how.cluster == 1 ? 0 : how.balanced ? 2 : 1;
  }
  LaunchConfig(const LaunchConfig&) = delete;
  LaunchConfig& operator=(const LaunchConfig&) = delete;
  const cudaLaunchConfig_t* get() const { return &config_; }

 private:
  cudaLaunchAttribute attributes_[2]{};
  cudaLaunchConfig_t config_{};
};

/// Starts `kernel`; what only the run can tell comes with the next checked call.
template <class... Parameters, class... Arguments>
void launch(const Launch& how, void (*kernel)(Parameters...), const Arguments&... arguments) {
  const LaunchConfig config(how, kernel);
  SVDLAB_CUDA(cudaLaunchKernelEx(config.get(), kernel, Parameters(arguments)...));
}

/// How many clusters of `how` the device holds at once; a multiprocessor may be left over by its neighbours.
template <class... Parameters>
int resident_clusters(const Launch& how, void (*kernel)(Parameters...)) {
  const LaunchConfig config(how, kernel);
  int clusters = 0;
  SVDLAB_CUDA(cudaOccupancyMaxActiveClusters(&clusters, kernel, config.get()));
  return clusters;
}

/// One attribute of the current device.
inline int device_attribute(cudaDeviceAttr attribute) {
  int device = 0, value = 0;
  SVDLAB_CUDA(cudaGetDevice(&device));
  SVDLAB_CUDA(cudaDeviceGetAttribute(&value, attribute, device));
  return value;
}

}  // namespace svdlab::device
