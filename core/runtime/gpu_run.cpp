#include "core/runtime/gpu_run.h"

#include "core/base/error.h"
#include "core/runtime/compat.h"
#include "core/runtime/kernel_stream.h"
#if SVDLAB_TORCH_HAS_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>
#endif

namespace svdlab {
namespace {

void require_gpu() {
  const std::string problem = gpu_problem();
  SVDLAB_REQUIRE(problem.empty(), Errc::kConfig, "unsupported: timing on a GPU: ", problem);
}

}  // namespace

#if SVDLAB_TORCH_HAS_CUDA

namespace {

void check(cudaError_t error, const char* call) {
  SVDLAB_REQUIRE(error == cudaSuccess, Errc::kUnexpected, "CUDA: ", call, ": ", cudaGetErrorString(error));
}

// The allocator exists from the first allocation on; before that it refuses to tell anything.
c10::DeviceIndex device_with_allocator() {
  static const bool made = at::empty({1}, at::TensorOptions(at::kByte).device(at::kCUDA)).defined();
  SVDLAB_REQUIRE(made, Errc::kUnexpected, "no GPU memory");
  return c10::cuda::current_device();
}

}  // namespace

struct GpuMark::State {
  cudaEvent_t event = nullptr;
};

GpuMark::GpuMark() : state_(std::make_unique<State>()) {
  require_gpu();
  check(cudaEventCreate(&state_->event), "cudaEventCreate");
  check(cudaEventRecord(state_->event, c10::cuda::getCurrentCUDAStream()), "cudaEventRecord");
}

GpuMark::~GpuMark() {
  if (state_) cudaEventDestroy(state_->event);
}

double GpuMark::ms_since(const GpuMark& begin) const {
  float ms = 0;
  check(cudaEventSynchronize(state_->event), "cudaEventSynchronize");
  check(cudaEventElapsedTime(&ms, begin.state_->event, state_->event), "cudaEventElapsedTime");
  return ms;
}

struct GpuRecording::State {
  at::cuda::CUDAGraph graph;
};

GpuRecording::GpuRecording(const std::function<void()>& work) {
  gpu_wait();
  state_ = std::make_unique<State>();
  // Recording is refused on the default stream.
  const c10::cuda::CUDAStreamGuard other(c10::cuda::getStreamFromPool());
  work();
  work();
  gpu_wait();
  state_->graph.capture_begin();
  try {
    work();
  } catch (...) {
    // Ends the recording, which may itself fail once something in it has; what matters is the first reason.
    try {
      state_->graph.capture_end();
    } catch (const std::exception&) {
    }
    throw;
  }
  state_->graph.capture_end();
  gpu_wait();
}

void GpuRecording::replay() const { state_->graph.replay(); }

void gpu_wait() {
  require_gpu();
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

GpuMemory gpu_memory() {
  if (!gpu_problem().empty()) return {};
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(device_with_allocator());
  const auto& bytes = stats.allocated_bytes[0];  // over all pools
  return {bytes.current, bytes.peak};
}

void gpu_forget_peak() {
  require_gpu();
  const c10::DeviceIndex device = device_with_allocator();
  c10::cuda::CUDACachingAllocator::emptyCache();
  c10::cuda::CUDACachingAllocator::resetPeakStats(device);
}

#else

// No torch without CUDA gets past require_gpu().
struct GpuMark::State {};
GpuMark::GpuMark() { require_gpu(); }
GpuMark::~GpuMark() = default;
double GpuMark::ms_since(const GpuMark&) const { return 0; }

struct GpuRecording::State {};
GpuRecording::GpuRecording(const std::function<void()>&) { require_gpu(); }
void GpuRecording::replay() const {}

void gpu_wait() { require_gpu(); }
GpuMemory gpu_memory() { return {}; }
void gpu_forget_peak() { require_gpu(); }

#endif

GpuMark::GpuMark(GpuMark&&) noexcept = default;
GpuRecording::~GpuRecording() = default;

}  // namespace svdlab
