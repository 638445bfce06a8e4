#include "core/io/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"
#include "core/io/safetensors_torch.h"

namespace svdlab {
namespace {

struct Mapping {
  std::shared_ptr<const void> memory;
  uint64_t size = 0;
};

Mapping map_file(const std::string& path) {
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
  return {
      std::shared_ptr<const void>(memory, [size](const void* m) { ::munmap(const_cast<void*>(m), size); }),
      size};
}

// Shape of the uint8 tensor that carries the raw bytes of an entry without a torch dtype.
std::vector<int64_t> raw_shape(const StEntry& entry) {
  const int bits = bits_of(entry.dtype);
  if (bits <= 8 && !entry.shape.empty() && entry.shape.back() * bits % 8 == 0) {
    std::vector<int64_t> shape = entry.shape;
    shape.back() = shape.back() * bits / 8;
    return shape;
  }
  if (bits == 8) return entry.shape;
  return {static_cast<int64_t>(entry.bytes)};
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(path) {
  const Mapping mapping = map_file(path);
  mapping_ = mapping.memory;
  StContent content = parse_safetensors(static_cast<const uint8_t*>(mapping_.get()), mapping.size, path);
  entries_ = std::move(content.entries);
  metadata_ = std::move(content.metadata);
}

Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto found = entries_.find(name);
  SVDLAB_REQUIRE(found != entries_.end(), Errc::kInput, path_, ": no tensor ", printable(name));
  const StEntry& entry = found->second;
  const auto known = torch_dtype(entry.dtype);
  const at::ScalarType type = known.value_or(at::kByte);
  const std::vector<int64_t> shape = known ? entry.shape : raw_shape(entry);
  if (entry.bytes == 0) return at::empty(shape, type);
  // Any other byte is no bool to C++: reading it would be undefined.
  if (entry.dtype == StDtype::kBool)
    for (uint64_t i = 0; i < entry.bytes; ++i)
      SVDLAB_REQUIRE(entry.data[i] <= 1, Errc::kInput, path_, ": tensor ", printable(name), ": BOOL element ",
                     i, " is ", int{entry.data[i]}, ", not 0 or 1");
  if (reinterpret_cast<uintptr_t>(entry.data) % c10::elementSize(type) != 0) {
    Tensor copy = at::empty(shape, type);
    std::memcpy(copy.data_ptr(), entry.data, entry.bytes);
    return copy;
  }
  return at::from_blob(
      const_cast<uint8_t*>(entry.data), shape, [keep = mapping_](void*) {}, type);
}

}  // namespace svdlab
