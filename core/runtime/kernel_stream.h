#pragma once
#include <string>

#include "core/ir/tensor.h"
#include "kernels/stream.h"

namespace svdlab {

/// Why tensors on a GPU cannot go through the kernels ("built without CUDA", "no CUDA device", "libtorch
/// without CUDA"); empty when they can.
std::string gpu_problem();

/// Where the kernels run for tensors on `device`: the CPU, or torch's current stream of the GPU.
Stream kernel_stream(at::Device device);

/// What choose_main_loop is asked for: the GPU's architecture. For the CPU, whose kernels read any layout,
/// that of Hopper, so that the same plan and the same bytes serve both.
int kernel_architecture(at::Device device);

/// A stream with room for a kernel's scratch, which is `device` memory in stream order and lives with the
/// object.
class KernelScratch {
 public:
  KernelScratch(at::Device device, int64_t bytes);
  const Stream& stream() const { return stream_; }

 private:
  Tensor memory_;
  Stream stream_;
};

}  // namespace svdlab
