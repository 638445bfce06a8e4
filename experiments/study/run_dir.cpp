#include "experiments/study/run_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "experiments/study/provenance.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

constexpr int kLockAttempts = 10;

int take_lock(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  SVDLAB_REQUIRE(fd >= 0, Errc::kResource, path, ": cannot be opened: ", std::strerror(errno));
  // A process that was just killed may take a moment to let go of it.
  int reason = 0;
  for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
    if (attempt > 0) ::usleep(100'000);
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    reason = errno;
  }
  ::close(fd);
  SVDLAB_REQUIRE(reason == EWOULDBLOCK, Errc::kResource, path, ": cannot be locked: ", std::strerror(reason));
  throw Error(Errc::kLocked, concat(path, ": another process runs this study; wait for it or stop it"));
}

void check_schema(const std::string& path) {
  const std::string file = path + "/provenance.json";
  if (!fs::exists(file)) return;
  const Value provenance = load_yaml(file);
  const Value* schema = provenance.find("schema");
  const std::string found = schema ? schema->as_text("schema") : "none";
  SVDLAB_REQUIRE(found == kSchema, Errc::kConfig, path, ": written with schema \"", found,
                 "\", this program writes \"", kSchema, "\"; move the folder away or give another --runs");
}

// Only names that an atomic write can have left: <file>.tmp.<pid>.
void remove_temporaries(const std::string& path) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.path().filename().string().find(".tmp.") != std::string::npos) found.push_back(entry.path());
  std::error_code ignored;
  for (const fs::path& file : found) fs::remove(file, ignored);
}

}  // namespace

std::string run_path(const std::string& runs, const StudyConfig& study, const std::string& hash) {
  return runs + "/" + study.name + "-" + hash.substr(0, 12);
}

RunDir::RunDir(const std::string& runs, const StudyConfig& study, const std::string& hash)
    : path_(run_path(runs, study, hash)) {
  make_directories(path_ + "/cells");
  lock_ = take_lock(path_ + "/lock");
  try {
    check_schema(path_);
    remove_temporaries(path_);
    write_file(file("config.resolved.yaml"), to_yaml(study.resolved));
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

RunDir::~RunDir() { ::close(lock_); }

void RunDir::write_status(const std::string& state, int64_t done, int64_t total,
                          const std::string& cell) const {
  Value v = Value::map();
  v.at_or_add("state") = Value::text(state);
  v.at_or_add("cells_done") = Value::integer(done);
  v.at_or_add("cells_total") = Value::integer(total);
  v.at_or_add("cell") = Value::text(cell);
  v.at_or_add("pid") = Value::integer(::getpid());
  v.at_or_add("host") = Value::text(machine().host);
  v.at_or_add("updated_utc") = Value::text(utc_now());
  write_file(file("status.json"), v.canonical_json() + "\n");
}

}  // namespace svdlab
