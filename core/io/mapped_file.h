#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace svdlab {

/// The bytes of a regular file, read-only; unmapped when the last owner of `memory` is gone.
struct MappedFile {
  std::shared_ptr<const void> memory;  ///< nullptr for an empty file
  uint64_t size = 0;
};
/// Throws kInput when `path` is no regular file that can be read, kResource when it cannot be mapped.
MappedFile map_file(const std::string& path);

/// Gives the pages of [data, data + bytes) back to the system where they lie in a live mapping of map_file();
/// they come from the file again at the next access. Memory that is no such mapping is left alone.
void drop_mapped_pages(const void* data, uint64_t bytes);

}  // namespace svdlab
