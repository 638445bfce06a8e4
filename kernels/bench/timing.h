#pragma once
#include <functional>
#include <map>
#include <string>
#include <tuple>

#include "kernels/bench/suite.h"
#include "kernels/cuda_device.h"
#include "kernels/device/checked.cuh"

namespace svdlab::bench {

/// What does a case's operations.
enum class Unit { kNone, kBf16, kFp8, kInt8 };

/// Operations per second, in tera, that one H200 was seen to do with operands resident in shared memory
/// (kernels.md 0b: wgmma n = 256; fp8 and int8 with 4-bit values in them). 0 for kNone.
double peak_tera(Unit unit);

/// One measured thing. Operations and bytes are what the problem asks for, not what a kernel happens to do.
struct Case {
  std::string what, variant;  ///< see Measurement
  int64_t m = 0, n = 0, k = 0, rank = 0;
  double operations = 0, bytes = 0;
  Unit unit = Unit::kNone;
  std::function<void(cudaStream_t)> run;
};

/// Times cases and reports each as soon as it is done. Two times: "cold", launches one by one with the L2
/// cache overwritten before each, median and the 10th and 90th of 60; and "burst", many launches back to
/// back, their mean, when the chip's power is what it sustains.
class Timer {
 public:
  Timer(const Selection& selection, std::function<void(const Measurement&)> report);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool wants(const std::string& what, const std::string& variant) const {
    return is_selected(selection_, what, variant);
  }
  bool wants_kind(const std::string& what) const { return is_selected_kind(selection_, what); }
  /// Times a case that is wanted. One that throws becomes a row with the message; the next ones still run.
  void time(const Case& c);
  /// Times a case whether it is wanted or not: what floors and ratios of others are made of.
  void time_always(const Case& c);
  cudaStream_t stream() const { return stream_; }

 private:
  void measure(const Case& c, Measurement& out);
  void relate(const Case& c, Measurement& out);

  Selection selection_;
  std::function<void(const Measurement&)> report_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  CudaBuffer flush_;
  double copy_giga_bytes_per_s_ = 0;
  std::map<std::tuple<int64_t, int64_t, int64_t>, double> bf16_us_;  // by shape
};

/// Median time in microseconds of a few cold launches: to choose among variants.
double quick_time(const std::function<void(cudaStream_t)>& run, cudaStream_t stream);

}  // namespace svdlab::bench
