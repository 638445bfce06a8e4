#pragma once
#include <cstdio>
#include <functional>
#include <string>

#include "kernels/cuda_device.h"
#include "kernels/device/checked.cuh"

namespace svdlab::bench {

/// One measured thing. Operations and bytes are what the problem asks for, not what a kernel happens to do.
struct Case {
  std::string what;     ///< "gemm", "prologue", "linear", "small_m", "copy"
  std::string variant;  ///< "exact 192x2", "cublas bf16", ...
  int64_t m = 0, n = 0, k = 0, rank = 0;
  double operations = 0, bytes = 0;
  std::function<void(cudaStream_t)> run;
};

/// Times cases and writes a row of CSV for each as soon as it is done. Two times: "cold", launches one by one
/// with the L2 cache overwritten before each, median and the 10th and 90th of 100; and "burst", many launches
/// back to back, their mean, when the chip's power is what it sustains.
class Timer {
 public:
  explicit Timer(const std::string& csv_path);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// A case that throws becomes a row with the message; the next ones still run.
  void time(const Case& c);
  cudaStream_t stream() const { return stream_; }

 private:
  FILE* csv_ = nullptr;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  CudaBuffer flush_;
};

/// Median time in microseconds of a few cold launches: to choose among variants.
double quick_time(const std::function<void(cudaStream_t)>& run, cudaStream_t stream);

}  // namespace svdlab::bench
