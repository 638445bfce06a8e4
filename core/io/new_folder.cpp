#include "core/io/new_folder.h"

#include <unistd.h>

#include <filesystem>

#include "core/base/error.h"
#include "core/io/files.h"

namespace svdlab {

namespace fs = std::filesystem;

NewFolder::NewFolder(const std::string& path)
    : path_((path / fs::path()).parent_path().string()), temporary_(concat(path_, ".tmp.", ::getpid())) {
  SVDLAB_REQUIRE(!fs::exists(path_), Errc::kConfig, path_, ": is there already; name a new folder");
  make_directories(temporary_);
}

NewFolder::~NewFolder() {
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
}

void NewFolder::commit() const {
  std::error_code failure;
  fs::rename(temporary_, path_, failure);
  SVDLAB_REQUIRE(!failure, Errc::kResource, path_, ": ", failure.message());
}

void link_or_copy(const std::string& from, const std::string& to) {
  std::error_code failure;
  fs::create_hard_link(from, to, failure);
  if (!failure) return;
  fs::copy_file(from, to, failure);
  SVDLAB_REQUIRE(!failure, Errc::kResource, to, ": cannot be copied from ", from, ": ", failure.message());
}

}  // namespace svdlab
