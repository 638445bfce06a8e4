#include "core/io/safetensors.h"

#include <cstring>

#include "core/base/error.h"
#include "core/io/mapped_file.h"
#include "core/io/safetensors_torch.h"

namespace svdlab {
namespace {

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
  const MappedFile mapping = map_file(path);
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
