#include "experiments/quantize/file_watch.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/base/error.h"

namespace svdlab {

FileWatch::FileWatch(std::vector<std::string> paths) {
  for (std::string& path : paths) {
    const Look look = look_at(path);
    files_.emplace_back(std::move(path), look);
  }
}

FileWatch::Look FileWatch::look_at(const std::string& path) {
  struct stat s {};
  SVDLAB_REQUIRE(::stat(path.c_str(), &s) == 0, Errc::kInput, path, ": ", std::strerror(errno));
  return {s.st_dev, s.st_ino, static_cast<uint64_t>(s.st_size), s.st_mtim.tv_sec, s.st_mtim.tv_nsec};
}

void FileWatch::require_unchanged() const {
  for (const auto& [path, before] : files_) {
    const Look now = look_at(path);
    if (now == before) continue;
    const bool replaced = now.inode != before.inode || now.device != before.device;
    throw Error(Errc::kInput,
                concat(path, ": changed while it was read: ",
                       replaced ? "another file is in its place, " : "", before.bytes, " -> ", now.bytes,
                       " bytes, time of change ", before.seconds, ".", before.nanoseconds, " -> ",
                       now.seconds, ".", now.nanoseconds, "; start again when nothing writes to it"));
  }
}

std::vector<std::string> checkpoint_files(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name == "config.json" || name == "sampling.yaml" || name.ends_with(".safetensors") ||
        name.ends_with(".safetensors.index.json"))
      out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace svdlab
