#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace svdlab {

/// Remembers what files look like (device, inode, size, time of the last change), so that one that is
/// replaced or written to while it is read does not pass unnoticed.
class FileWatch {
 public:
  explicit FileWatch(std::vector<std::string> paths);
  /// Throws kInput naming the first file that is gone or no longer the same, with what changed.
  void require_unchanged() const;

 private:
  struct Look {
    uint64_t device = 0, inode = 0, bytes = 0;
    int64_t seconds = 0, nanoseconds = 0;
    bool operator==(const Look&) const = default;
  };
  static Look look_at(const std::string& path);

  std::vector<std::pair<std::string, Look>> files_;
};

/// The files that model_hash() reads.
std::vector<std::string> checkpoint_files(const std::string& folder);

}  // namespace svdlab
