#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "core/ir/tensor.h"

namespace svdlab {

// Time, memory and recordings of what tensor operations enqueue on the current GPU. Everything but gpu_memory
// throws kConfig "unsupported" where gpu_problem() (kernel_stream.h) is not empty.

/// A point in the GPU's work, by an event on the current stream.
class GpuMark {
 public:
  GpuMark();
  ~GpuMark();
  GpuMark(GpuMark&&) noexcept;
  /// Waits for both points. Milliseconds the GPU took from `begin` to this.
  double ms_since(const GpuMark& begin) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What a function enqueues, as a CUDA graph: recorded once, after two calls to warm up, then replayed
/// without the host's part. The function must not wait for the GPU nor read from it; tensors it reads or
/// returns keep their memory as long as this object lives.
class GpuRecording {
 public:
  explicit GpuRecording(const std::function<void()>& work);
  ~GpuRecording();
  GpuRecording(const GpuRecording&) = delete;
  void replay() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Waits for all work of the GPU.
void gpu_wait();

/// GPU memory that tensors take now, and most since the last call of gpu_forget_peak, in bytes; 0 without
/// one.
struct GpuMemory {
  int64_t allocated = 0, peak = 0;
};
GpuMemory gpu_memory();
void gpu_forget_peak();  ///< also returns cached memory to the device

}  // namespace svdlab
