// kernels/cuda_device.h for the emulated device, whose memory is the CPU's. EMULATED_ARCHITECTURE: 90 unless
// set.
#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/cuda_device.h"

namespace svdlab {

std::string cuda_device_problem() { return ""; }
int cuda_architecture() {
  const char* set = std::getenv("EMULATED_ARCHITECTURE");
  return set ? std::atoi(set) : 90;
}
std::string cuda_device_name() { return "emulated"; }

CudaBuffer::CudaBuffer(int64_t bytes)
    : data_(std::aligned_alloc(256, static_cast<size_t>(bytes + 511) / 256 * 256)), bytes_(bytes) {}
CudaBuffer::~CudaBuffer() { std::free(data_); }
CudaBuffer::CudaBuffer(CudaBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
void CudaBuffer::copy_from(const void* host, int64_t bytes) { std::memcpy(data_, host, bytes); }
void CudaBuffer::copy_to(void* host, int64_t bytes) const { std::memcpy(host, data_, bytes); }
void CudaBuffer::fill(uint8_t byte) { std::memset(data_, byte, bytes_); }
void cuda_synchronize(Stream) {}

}  // namespace svdlab
