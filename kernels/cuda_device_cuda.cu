#include "kernels/cuda_device.h"

#include <utility>

#include "kernels/device/checked.cuh"

namespace svdlab {

using device::check_cuda;
using device::device_attribute;

std::string cuda_device_problem() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) return "no CUDA device";
  if (error != cudaSuccess) return concat("CUDA: ", cudaGetErrorString(error));
  return "";
}

int cuda_architecture() {
  return 10 * device_attribute(cudaDevAttrComputeCapabilityMajor) +
         device_attribute(cudaDevAttrComputeCapabilityMinor);
}

std::string cuda_device_name() {
  int device = 0, driver = 0;
  cudaDeviceProp properties{};
  SVDLAB_CUDA(cudaGetDevice(&device));
  SVDLAB_CUDA(cudaGetDeviceProperties(&properties, device));
  SVDLAB_CUDA(cudaDriverGetVersion(&driver));
  return concat(properties.name, ", sm_", cuda_architecture(), ", ", properties.multiProcessorCount,
                " SMs, driver ", driver / 1000, ".", driver % 1000 / 10);
}

CudaBuffer::CudaBuffer(int64_t bytes) : bytes_(bytes) {
  const cudaError_t error = cudaMalloc(&data_, static_cast<size_t>(bytes > 0 ? bytes : 1));
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    size_t available = 0, total = 0;
    SVDLAB_CUDA(cudaMemGetInfo(&available, &total));
    throw Error(Errc::kResource,
                concat("GPU memory: ", bytes, " bytes asked for, ", available, " of ", total, " free"));
  }
  check_cuda(error, "cudaMalloc");
}

CudaBuffer::~CudaBuffer() {
  if (data_) cudaFree(data_);
}

CudaBuffer::CudaBuffer(CudaBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

void CudaBuffer::copy_from(const void* host, int64_t bytes) {
  SVDLAB_REQUIRE(bytes <= bytes_, Errc::kUnexpected, "GPU memory: ", bytes, " bytes into a buffer of ",
                 bytes_);
  SVDLAB_CUDA(cudaMemcpy(data_, host, static_cast<size_t>(bytes), cudaMemcpyHostToDevice));
}

void CudaBuffer::copy_to(void* host, int64_t bytes) const {
  SVDLAB_REQUIRE(bytes <= bytes_, Errc::kUnexpected, "GPU memory: ", bytes, " bytes from a buffer of ",
                 bytes_);
  SVDLAB_CUDA(cudaMemcpy(host, data_, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost));
}

void CudaBuffer::fill(uint8_t byte) {
  SVDLAB_CUDA(cudaMemset(data_, byte, static_cast<size_t>(bytes_)));
  SVDLAB_CUDA(cudaDeviceSynchronize());
}

void cuda_synchronize(Stream stream) {
  SVDLAB_CUDA(cudaStreamSynchronize(static_cast<cudaStream_t>(stream.handle)));
}

}  // namespace svdlab
