#pragma once
#include <cstdint>
#include <string>

#include "kernels/stream.h"

namespace svdlab {

// The little that programs without a tensor library need of a GPU. Every failure of the CUDA runtime is an
// Error with the call and CUDA's own words; in a build without CUDA everything but cuda_device_problem throws
// kConfig "unsupported".

/// Why no GPU can be used ("built without CUDA", "no CUDA device", ...); empty when one can. Asked by every
/// call of an op, so it is found out once.
std::string cuda_device_problem();
/// 10 * major + minor of the current device, e.g. 90.
int cuda_architecture();
/// "NVIDIA H200, sm_90, 132 SMs, driver 13.0".
std::string cuda_device_name();

/// Device memory, 256-byte aligned, released with the object. Out of memory: kResource with what was asked
/// for and what was free.
class CudaBuffer {
 public:
  explicit CudaBuffer(int64_t bytes);
  ~CudaBuffer();
  CudaBuffer(CudaBuffer&& other) noexcept;
  CudaBuffer& operator=(CudaBuffer&&) = delete;

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  void copy_from(const void* host, int64_t bytes);  ///< waits
  void copy_to(void* host, int64_t bytes) const;    ///< waits
  void fill(uint8_t byte);                          ///< waits

 private:
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

/// Waits for everything enqueued on the stream; reports what failed in it.
void cuda_synchronize(Stream stream);

}  // namespace svdlab
