#include "kernels/bench/timing.h"

#include <algorithm>
#include <vector>

#include "kernels/bench/sensors.h"

namespace svdlab::bench {
namespace {

constexpr int kWarmUp = 20, kCold = 60;
constexpr double kBurstMicroseconds = 40000;
constexpr int64_t kFlushBytes = int64_t{192} << 20;

float elapsed_us(cudaEvent_t begin, cudaEvent_t end) {
  float milliseconds = 0;
  SVDLAB_CUDA(cudaEventElapsedTime(&milliseconds, begin, end));
  return milliseconds * 1000;
}

}  // namespace

double peak_tera(Unit unit) {
  switch (unit) {
    case Unit::kBf16:
      return 882;
    case Unit::kFp8:
    case Unit::kInt8:
      return 1909;
    case Unit::kNone:
      break;
  }
  return 0;
}

Timer::Timer(const Selection& selection, std::function<void(const Measurement&)> report)
    : selection_(selection), report_(std::move(report)), flush_(kFlushBytes) {
  SVDLAB_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  SVDLAB_CUDA(cudaEventCreate(&begin_));
  SVDLAB_CUDA(cudaEventCreate(&end_));
}

Timer::~Timer() {
  cudaEventDestroy(begin_);
  cudaEventDestroy(end_);
  cudaStreamDestroy(stream_);
}

void Timer::time(const Case& c) {
  if (wants(c.what, c.variant)) time_always(c);
}

void Timer::time_always(const Case& c) {
  Measurement out{.what = c.what, .variant = c.variant, .m = c.m, .n = c.n, .k = c.k, .rank = c.rank};
  try {
    measure(c, out);
    relate(c, out);
  } catch (const std::exception& e) {
    out.error = e.what();
  }
  report_(out);
}

void Timer::measure(const Case& c, Measurement& out) {
  std::vector<float> cold;
  for (int i = 0; i < kWarmUp + kCold; ++i) {
    // The launch overlaps with the overwriting of L2, so its latency is not in the time.
    SVDLAB_CUDA(cudaMemsetAsync(flush_.data(), i, kFlushBytes, stream_));
    SVDLAB_CUDA(cudaEventRecord(begin_, stream_));
    c.run(stream_);
    SVDLAB_CUDA(cudaEventRecord(end_, stream_));
    SVDLAB_CUDA(cudaStreamSynchronize(stream_));
    if (i >= kWarmUp) cold.push_back(elapsed_us(begin_, end_));
  }
  std::sort(cold.begin(), cold.end());
  out.cold_us = cold[kCold / 2];
  out.cold_p10_us = cold[kCold / 10];
  out.cold_p90_us = cold[kCold * 9 / 10];
  const int launches = std::clamp(static_cast<int>(kBurstMicroseconds / out.cold_us), 20, 2000);
  Sensors sensors;
  SVDLAB_CUDA(cudaEventRecord(begin_, stream_));
  for (int i = 0; i < launches; ++i) c.run(stream_);
  SVDLAB_CUDA(cudaEventRecord(end_, stream_));
  while (cudaEventQuery(end_) == cudaErrorNotReady) sensors = read_sensors();
  SVDLAB_CUDA(cudaStreamSynchronize(stream_));
  out.burst_us = elapsed_us(begin_, end_) / launches;
  out.sm_mhz = sensors.sm_mhz;
  out.watts = sensors.watts;
}

// Rates, floors and the ratio to the 16-bit product; remembers what later cases are held against.
void Timer::relate(const Case& c, Measurement& out) {
  const std::tuple shape(c.m, c.n, c.k);
  out.tera_per_s = c.operations / out.cold_us / 1e6;
  out.giga_bytes_per_s = c.bytes / out.cold_us / 1e3;
  if (c.what == "copy") copy_giga_bytes_per_s_ = out.giga_bytes_per_s;
  if (c.variant == "cublas bf16") bf16_us_[shape] = out.cold_us;
  if (c.unit != Unit::kNone) out.floor_operations_us = c.operations / peak_tera(c.unit) / 1e6;
  if (copy_giga_bytes_per_s_ > 0) out.floor_bytes_us = c.bytes / copy_giga_bytes_per_s_ / 1e3;
  const bool comparable = c.what == "gemm" || c.what == "linear" || c.what == "small_m";
  if (const auto found = bf16_us_.find(shape); comparable && found != bf16_us_.end())
    out.bf16_ratio = found->second / out.cold_us;
}

double quick_time(const std::function<void(cudaStream_t)>& run, cudaStream_t stream) {
  cudaEvent_t begin, end;
  SVDLAB_CUDA(cudaEventCreate(&begin));
  SVDLAB_CUDA(cudaEventCreate(&end));
  std::vector<float> times;
  for (int i = 0; i < 7; ++i) {
    SVDLAB_CUDA(cudaEventRecord(begin, stream));
    run(stream);
    SVDLAB_CUDA(cudaEventRecord(end, stream));
    SVDLAB_CUDA(cudaStreamSynchronize(stream));
    times.push_back(elapsed_us(begin, end));
  }
  SVDLAB_CUDA(cudaEventDestroy(begin));
  SVDLAB_CUDA(cudaEventDestroy(end));
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace svdlab::bench
