#pragma once
#include <cstdint>

namespace svdlab {

enum class Device { kCpu, kCuda };

/// Where an op runs. All pointers of a call belong to `device`. On a GPU the op is only enqueued: its
/// operands must live until the stream has passed it, and what fails there is reported by the next checked
/// call.
struct Stream {
  Device device = Device::kCpu;
  void* handle = nullptr;       ///< cudaStream_t; nullptr is the default stream
  void* workspace = nullptr;    ///< scratch of the device, 16-byte aligned; used in stream order
  int64_t workspace_bytes = 0;  ///< its size; what an op needs is told by its *_workspace function
};

}  // namespace svdlab
