#include "experiments/quantize/memory_meter.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>

#include "core/base/error.h"

namespace svdlab {
namespace {

constexpr int kOwnMapping = 1 << 20;

// A line "Name:   123 kB" of a file of /proc, in bytes.
int64_t kib_line(const char* path, const std::string& name) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    if (word != name) continue;
    int64_t kib = -1;
    file >> kib;
    if (file && kib >= 0) return kib * 1024;
  }
  throw Error(Errc::kUnexpected, concat(path, ": no line ", name));
}

}  // namespace

int64_t anonymous_bytes() { return kib_line("/proc/self/status", "RssAnon:"); }
int64_t available_bytes() { return kib_line("/proc/meminfo", "MemAvailable:"); }

void return_freed_memory() { ::mallopt(M_MMAP_THRESHOLD, kOwnMapping); }
void trim_freed_memory() { ::malloc_trim(0); }

MemoryMeter::MemoryMeter()
    : thread_([this] {
        while (!done_) {
          peak_ = std::max(peak_.load(), anonymous_bytes());
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
      }) {}

MemoryMeter::~MemoryMeter() {
  done_ = true;
  thread_.join();
}

}  // namespace svdlab
