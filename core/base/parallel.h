#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace svdlab {

/// Runs body(index, worker) for index in [0, count) on up to `threads` threads (the caller is one of them).
/// Indices are handed out in order; results must not depend on which worker gets which. The first exception
/// (by index) is rethrown after all workers have stopped.
inline void parallel_for(int64_t count, int threads, const std::function<void(int64_t, int)>& body) {
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  int64_t failed_index = count;
  const auto work = [&](int worker) {
    for (int64_t i = next++; i < count; i = next++) {
      try {
        body(i, worker);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (i < failed_index) failed_index = i, failure = std::current_exception();
        next = count;
      }
    }
  };
  const int extra = static_cast<int>(std::min<int64_t>(threads, count)) - 1;
  std::vector<std::thread> pool;
  for (int t = 0; t < extra; ++t) pool.emplace_back(work, t + 1);
  work(0);
  for (std::thread& t : pool) t.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace svdlab
