#pragma once
#include <string>
#include <vector>

#include "core/io/compressed_file.h"

namespace svdlab {

/// A compressed model on its way to the disk; the folder is locked as long as the object lives.
class OutputFolder {
 public:
  /// Makes the folder or goes on with the one that is there, and removes temporaries that a killed process
  /// left. Throws kConfig, naming what differs, when it was begun with another model, configuration or
  /// statistics; kLocked when another process works in it.
  OutputFolder(const std::string& path, const CompressedHeader& header);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  /// True for each of `files` that is there already.
  std::vector<bool> finished(const std::vector<std::string>& files) const;
  /// Writes the index: with it the folder is complete.
  void finish(const std::vector<std::string>& files) const;

 private:
  std::string path_;
  CompressedHeader header_;
  int lock_ = -1;
};

/// Bytes that a user may still write to the file system of `path`, or of the nearest folder above that
/// exists.
int64_t free_bytes(const std::string& path);

}  // namespace svdlab
