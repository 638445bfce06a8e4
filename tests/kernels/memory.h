#pragma once
#include <cstring>
#include <deque>
#include <vector>

#include "kernels/cuda_device.h"

namespace svdlab::testing {

/// Memory of one device for one call of an op; exactly as large as asked for, so that the sanitizers see
/// every overrun.
class Memory {
 public:
  /// @param poison  what outputs and workspace are filled with; 0xff is NaN in fp32, bf16, fp16 and e4m3.
  explicit Memory(Device device, uint8_t poison = 0xff) : device_(device), poison_(poison) {}

  template <class T>
  T* put(const std::vector<T>& values) {
    if (values.empty()) return nullptr;
    T* out = poisoned<T>(static_cast<int64_t>(values.size()));
    const int64_t bytes = static_cast<int64_t>(values.size() * sizeof(T));
    if (device_ == Device::kCuda)
      on_gpu_.back().copy_from(values.data(), bytes);
    else
      std::memcpy(out, values.data(), bytes);
    return out;
  }

  template <class T>
  T* poisoned(int64_t count) {
    if (count == 0) return nullptr;
    const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
    if (device_ == Device::kCpu) return reinterpret_cast<T*>(on_cpu_.emplace_back(bytes, poison_).data());
    on_gpu_.emplace_back(bytes).fill(poison_);
    return static_cast<T*>(on_gpu_.back().data());
  }

  /// What `p`, the start of something that was put or poisoned, holds now.
  template <class T>
  std::vector<T> get(const T* p, int64_t count) const {
    std::vector<T> out(count);
    const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
    if (device_ == Device::kCpu && count > 0) std::memcpy(out.data(), p, bytes);
    for (const CudaBuffer& buffer : on_gpu_)
      if (buffer.data() == p && count > 0) buffer.copy_to(out.data(), bytes);
    return out;
  }

  Stream stream(int64_t workspace_bytes) {
    return {.device = device_,
            .workspace = poisoned<uint8_t>(workspace_bytes),
            .workspace_bytes = workspace_bytes};
  }
  void wait(const Stream& stream) {
    if (device_ == Device::kCuda) cuda_synchronize(stream);
  }
  Device device() const { return device_; }

 private:
  Device device_;
  uint8_t poison_;
  std::deque<std::vector<uint8_t>> on_cpu_;
  std::deque<CudaBuffer> on_gpu_;
};

}  // namespace svdlab::testing
