#include "experiments/quantize/output_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/base/error.h"
#include "core/io/files.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

// The folder itself is what is locked: nothing is left behind in it.
int lock_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  SVDLAB_REQUIRE(fd >= 0, Errc::kResource, path, ": cannot be opened: ", std::strerror(errno));
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  const int reason = errno;
  ::close(fd);
  SVDLAB_REQUIRE(reason == EWOULDBLOCK, Errc::kResource, path, ": cannot be locked: ", std::strerror(reason));
  throw Error(Errc::kLocked, concat(path, ": another process writes to it; wait for it or stop it"));
}

// Only names that an atomic write can have left: <file>.tmp.<pid>.
void remove_temporaries(const std::string& path) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.path().filename().string().find(".tmp.") != std::string::npos) found.push_back(entry.path());
  for (const fs::path& file : found) fs::remove(file);
}

void require_same(const std::string& path, const CompressedHeader& before, const CompressedHeader& now) {
  if (before.fingerprint == now.fingerprint) return;
  std::string differs;
  const auto compare = [&](const char* what, const std::string& a, const std::string& b) {
    if (a == b) return;
    const auto shown = [](const std::string& s) { return s.empty() ? "none" : s.substr(0, 12); };
    differs += concat(differs.empty() ? "" : ", ", what, " ", shown(a), " -> ", shown(b));
  };
  compare("model", before.model_hash, now.model_hash);
  compare("statistics", before.statistics_hash, now.statistics_hash);
  compare("configuration", sha256(before.config.canonical_json()), sha256(now.config.canonical_json()));
  throw Error(Errc::kConfig, concat(path, ": was begun with something else (",
                                    differs.empty() ? "another version of this program" : differs,
                                    "); give another --out, or remove the folder"));
}

}  // namespace

OutputFolder::OutputFolder(const std::string& path, const CompressedHeader& header)
    : path_(path), header_(header) {
  make_directories(path_);
  lock_ = lock_folder(path_);
  try {
    const auto before = compressed_header(path_);
    SVDLAB_REQUIRE(!before || !before->has_adapters, Errc::kConfig, path_,
                   ": has LoRA adapters attached; give another --out, or detach them (svdlab lora detach)");
    if (before) require_same(path_, *before, header_);
    remove_temporaries(path_);
    if (!before) begin_compressed(path_, header_);
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

OutputFolder::~OutputFolder() { ::close(lock_); }

std::vector<bool> OutputFolder::finished(const std::vector<std::string>& files) const {
  std::vector<bool> out;
  for (const std::string& file : files) out.push_back(has_compressed_group(path_, file, header_.fingerprint));
  return out;
}

void OutputFolder::finish(const std::vector<std::string>& files) const {
  write_compressed_index(path_, header_, files);
}

int64_t free_bytes(const std::string& path) {
  fs::path folder = fs::absolute(path);
  while (!fs::exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
  struct statvfs s {};
  SVDLAB_REQUIRE(::statvfs(folder.c_str(), &s) == 0, Errc::kResource, folder.string(), ": ",
                 std::strerror(errno));
  return static_cast<int64_t>(s.f_bavail) * static_cast<int64_t>(s.f_frsize);
}

}  // namespace svdlab
