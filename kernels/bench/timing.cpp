#include "kernels/bench/timing.h"

#include <dlfcn.h>

#include <algorithm>
#include <vector>

namespace svdlab::bench {
namespace {

constexpr int kWarmUp = 20, kCold = 60;
constexpr double kBurstMicroseconds = 40000;
constexpr int64_t kFlushBytes = int64_t{192} << 20;

// The driver's own reading of the device, where its library is found; 0 where not.
struct Sensors {
  unsigned sm_mhz = 0, milliwatts = 0;
};

Sensors read_sensors() {
  using Init = int (*)();
  using Handle = int (*)(unsigned, void**);
  using Clock = int (*)(void*, int, unsigned*);
  using Power = int (*)(void*, unsigned*);
  static void* const library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
  Sensors sensors;
  if (!library) return sensors;
  static const int started = reinterpret_cast<Init>(dlsym(library, "nvmlInit_v2"))();
  void* handle = nullptr;
  if (started != 0 ||
      reinterpret_cast<Handle>(dlsym(library, "nvmlDeviceGetHandleByIndex_v2"))(0, &handle) != 0)
    return sensors;
  constexpr int kSmClock = 1;
  reinterpret_cast<Clock>(dlsym(library, "nvmlDeviceGetClockInfo"))(handle, kSmClock, &sensors.sm_mhz);
  reinterpret_cast<Power>(dlsym(library, "nvmlDeviceGetPowerUsage"))(handle, &sensors.milliwatts);
  return sensors;
}

float elapsed_us(cudaEvent_t begin, cudaEvent_t end) {
  float milliseconds = 0;
  SVDLAB_CUDA(cudaEventElapsedTime(&milliseconds, begin, end));
  return milliseconds * 1000;
}

}  // namespace

Timer::Timer(const std::string& csv_path) : flush_(kFlushBytes) {
  csv_ = std::fopen(csv_path.c_str(), "w");
  SVDLAB_REQUIRE(csv_, Errc::kResource, "bench: cannot write ", csv_path);
  SVDLAB_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  SVDLAB_CUDA(cudaEventCreate(&begin_));
  SVDLAB_CUDA(cudaEventCreate(&end_));
  std::fprintf(csv_,
               "what,variant,m,n,k,rank,cold_us,cold_p10_us,cold_p90_us,burst_us,tera_per_s,giga_bytes_per_s,"
               "sm_mhz,watts,error\n");
}

Timer::~Timer() {
  std::fclose(csv_);
  cudaEventDestroy(begin_);
  cudaEventDestroy(end_);
  cudaStreamDestroy(stream_);
}

void Timer::time(const Case& c) {
  std::vector<float> cold;
  double burst = 0;
  std::string error;
  Sensors sensors;
  try {
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
    const int launches = std::clamp(static_cast<int>(kBurstMicroseconds / cold[kCold / 2]), 20, 2000);
    SVDLAB_CUDA(cudaEventRecord(begin_, stream_));
    for (int i = 0; i < launches; ++i) c.run(stream_);
    SVDLAB_CUDA(cudaEventRecord(end_, stream_));
    while (cudaEventQuery(end_) == cudaErrorNotReady) sensors = read_sensors();
    SVDLAB_CUDA(cudaStreamSynchronize(stream_));
    burst = elapsed_us(begin_, end_) / launches;
  } catch (const std::exception& e) {
    error = e.what();
    std::replace(error.begin(), error.end(), ',', ';');
    cold.assign(kCold, 0);
  }
  const double median = cold[kCold / 2];
  const auto rate = [](double amount, double us, double unit) { return us > 0 ? amount / us / unit : 0; };
  char row[512];
  std::snprintf(row, sizeof row, "%s,%s,%ld,%ld,%ld,%ld,%.2f,%.2f,%.2f,%.2f,%.1f,%.1f,%u,%.0f,%s",
                c.what.c_str(), c.variant.c_str(), static_cast<long>(c.m), static_cast<long>(c.n),
                static_cast<long>(c.k), static_cast<long>(c.rank), median, cold[kCold / 10],
                cold[kCold * 9 / 10], burst, rate(c.operations, median, 1e6), rate(c.bytes, median, 1e3),
                sensors.sm_mhz, sensors.milliwatts / 1000.0, error.c_str());
  std::fprintf(csv_, "%s\n", row);
  std::fflush(csv_);
  std::printf("%s\n", row);
  std::fflush(stdout);
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
