#include "core/runtime/kernel_stream.h"

#include "core/base/error.h"
#include "core/runtime/compat.h"
#include "kernels/cuda_device.h"
#if SVDLAB_TORCH_HAS_CUDA
#include <c10/cuda/CUDAStream.h>
#endif

namespace svdlab {
namespace {

constexpr int kHopper = 90;

void* current_stream([[maybe_unused]] at::Device device) {
#if SVDLAB_TORCH_HAS_CUDA
  return c10::cuda::getCurrentCUDAStream(device.index()).stream();
#else
  throw Error(Errc::kConfig, "unsupported: kernels on a GPU, libtorch without CUDA; use the CPU side");
#endif
}

}  // namespace

std::string gpu_problem() {
  static const std::string kernels = cuda_device_problem();
  if (!kernels.empty()) return kernels;
  return SVDLAB_TORCH_HAS_CUDA != 0 && at::hasCUDA() ? "" : "libtorch without CUDA";
}

Stream kernel_stream(at::Device device) {
  if (device.is_cpu()) return {};
  SVDLAB_REQUIRE(device.is_cuda(), Errc::kConfig, "unsupported: kernels on ", device.str(),
                 "; use cpu or cuda");
  return {.device = Device::kCuda, .handle = current_stream(device)};
}

int kernel_architecture(at::Device device) { return device.is_cpu() ? kHopper : cuda_architecture(); }

KernelScratch::KernelScratch(at::Device device, int64_t bytes) : stream_(kernel_stream(device)) {
  if (bytes == 0) return;
  memory_ = at::empty({bytes}, at::TensorOptions(at::kByte).device(device));
  stream_.workspace = memory_.data_ptr();
  stream_.workspace_bytes = bytes;
}

}  // namespace svdlab
