#pragma once
#include <string>

namespace svdlab {

/// A folder that appears under its name when it is complete: it is filled as `path`.tmp.<pid>, commit()
/// renames it. Destroyed before that, it leaves nothing behind. Throws kConfig when there is something under
/// its name, kResource when it cannot be made.
class NewFolder {
 public:
  explicit NewFolder(const std::string& path);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  const std::string& temporary() const { return temporary_; }
  std::string file(const std::string& name) const { return temporary_ + "/" + name; }
  void commit() const;

 private:
  std::string path_, temporary_;
};

/// `from` under a second name, or copied where file systems differ. For files that are replaced when they
/// change, never written to. kResource names the path and the system's reason.
void link_or_copy(const std::string& from, const std::string& to);

}  // namespace svdlab
