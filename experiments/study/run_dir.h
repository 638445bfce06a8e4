#pragma once
#include <string>

#include "experiments/study/study_config.h"

namespace svdlab {

/// runs/<study>-<hash12>/, locked for this process as long as the object lives.
class RunDir {
 public:
  /// Makes the folder or opens the one that is there, and removes temporaries that a killed process left.
  /// @throws kLocked when another process works in it, kConfig when it has another schema, kResource when it
  /// cannot be written.
  RunDir(const std::string& runs, const StudyConfig& study, const std::string& hash);
  ~RunDir();
  RunDir(const RunDir&) = delete;
  RunDir& operator=(const RunDir&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string cell_file(const std::string& slug) const { return path_ + "/cells/" + slug + ".h5"; }

  /// status.json, replaced as a whole.
  void write_status(const std::string& state, int64_t done, int64_t total,
                    const std::string& cell = "") const;

 private:
  std::string path_;
  int lock_ = -1;
};

/// "<runs>/<study>-<first 12 digits of hash>"
std::string run_path(const std::string& runs, const StudyConfig& study, const std::string& hash);

}  // namespace svdlab
