#include "core/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

#include "core/base/error.h"

namespace svdlab {
namespace {

// Where the live mappings lie: start -> end. Advice to drop a page of anything else would lose data.
class Mappings {
 public:
  void add(uintptr_t start, uint64_t size) {
    const std::lock_guard lock(mutex_);
    ends_[start] = start + size;
  }
  void remove(uintptr_t start) {
    const std::lock_guard lock(mutex_);
    ends_.erase(start);
  }
  void drop(uintptr_t begin, uintptr_t end) {
    static const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
    const std::lock_guard lock(mutex_);
    auto mapping = ends_.upper_bound(begin);
    if (mapping == ends_.begin()) return;
    --mapping;
    // Whole pages: one that is shared with a neighbour is fetched again when the neighbour is read.
    begin = begin / page * page;
    end = std::min(end, mapping->second);
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }

 private:
  std::mutex mutex_;
  std::map<uintptr_t, uintptr_t> ends_;
};

// Never destroyed: mappings that statics hold are removed after main.
Mappings& mappings() {
  static Mappings& all = *new Mappings;
  return all;
}

}  // namespace

MappedFile map_file(const std::string& path) {
  // O_NONBLOCK: opening a pipe must end in the refusal below, not wait for a writer.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  SVDLAB_REQUIRE(fd >= 0, Errc::kInput, path, ": cannot be opened: ", std::strerror(errno));
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd, [](const int* f) { ::close(*f); });
  struct stat status {};
  SVDLAB_REQUIRE(::fstat(fd, &status) == 0 && S_ISREG(status.st_mode), Errc::kInput, path,
                 ": not a regular file");
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return {};
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  SVDLAB_REQUIRE(memory != MAP_FAILED, Errc::kResource, path, ": ", size,
                 " bytes cannot be mapped: ", std::strerror(errno));
  mappings().add(reinterpret_cast<uintptr_t>(memory), size);
  const auto unmap = [size](const void* m) {
    mappings().remove(reinterpret_cast<uintptr_t>(m));
    ::munmap(const_cast<void*>(m), size);
  };
  return {std::shared_ptr<const void>(memory, unmap), size};
}

void drop_mapped_pages(const void* data, uint64_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(data);
  mappings().drop(begin, begin + bytes);
}

}  // namespace svdlab
