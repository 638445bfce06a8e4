#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace svdlab {

/// A .zip archive held in memory, as numpy writes .npz. Strict: the central directory at the end is the one
/// truth, entries lie inside the file and have different names, sizes and CRC-32 agree. Anything else throws
/// kInput naming file, entry and values. Stored and deflated entries; encryption, other methods and entries
/// of 4 GiB and more are refused by name. Nothing is allocated from an unchecked size.
class ZipFile {
 public:
  /// @param where  the file's name, for messages
  ZipFile(std::string bytes, std::string where);

  std::vector<std::string> names() const;
  bool has(const std::string& name) const { return entries_.count(name) > 0; }
  /// The content of an entry; kInput when there is none of this name or it is damaged.
  std::string read(const std::string& name) const;

 private:
  struct Entry {
    uint32_t method, crc;
    uint64_t packed, size, offset;
  };
  struct Directory {
    uint64_t offset, bytes, entries;
  };
  Directory find_directory() const;
  uint64_t add_entry(uint64_t at, uint64_t end);
  std::string packed_bytes(const std::string& name, const Entry& entry) const;
  uint64_t number(uint64_t at, int bytes) const;
  [[noreturn]] void refuse(const std::string& what) const;

  std::string bytes_, where_;
  std::map<std::string, Entry> entries_;
};

/// An archive of stored entries in the order given; equal bytes for equal content (dated 1980-01-01). kInput
/// for a name given twice and for content of 4 GiB and more.
std::string encode_zip(const std::vector<std::pair<std::string, std::string>>& entries);

}  // namespace svdlab
