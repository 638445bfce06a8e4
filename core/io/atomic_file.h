#pragma once
#include <cstddef>
#include <string>

namespace svdlab {

/// A file that appears under its name only when it is complete: bytes go to `path`.tmp.<pid>, commit()
/// flushes them to the disk and renames. Destroyed before that, it leaves nothing behind. Every failure
/// throws kResource naming the path and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write(const std::string& bytes) { write(bytes.data(), bytes.size()); }
  void commit();

 private:
  [[noreturn]] void fail(const char* action) const;

  std::string path_, temporary_;
  int fd_ = -1;
};

}  // namespace svdlab
