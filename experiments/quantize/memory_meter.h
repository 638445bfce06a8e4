#pragma once
#include <atomic>
#include <cstdint>
#include <thread>

namespace svdlab {

/// Bytes of anonymous memory (heap, stacks; no mapped files) that this process has in use, from the system.
int64_t anonymous_bytes();
/// Bytes that this machine could still hand out without swapping.
int64_t available_bytes();

/// From here on, freed blocks of 1 MiB and more go back to the system at once, so that what is in use is what
/// is needed.
void return_freed_memory();
/// Gives back what the allocator keeps of smaller blocks.
void trim_freed_memory();

/// Watches anonymous_bytes() from a thread of its own, 50 times a second.
class MemoryMeter {
 public:
  MemoryMeter();
  ~MemoryMeter();
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;
  int64_t peak() const { return peak_; }

 private:
  std::atomic<int64_t> peak_{0};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace svdlab
