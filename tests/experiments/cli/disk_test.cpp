// A full disk, a read-only one and a limit on the size of files: an error that says so, and nothing is lost.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>

#include "tests/experiments/cli/program.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;  // path -> content

Files files_in(const std::string& folder) {
  Files out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) out[entry.path().string()] = read_file(entry.path().string());
  return out;
}

void write_plainly(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  [[maybe_unused]] const ssize_t ignored = ::write(fd, text.data(), text.size());
  ::close(fd);
}

// Mounts of this process alone, as root or as nobody special. Empty, or why not.
std::string own_mounts() {
  static const std::string reason = [] {
    const uid_t user = ::geteuid();
    if (::unshare(user == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0)
      return concat("no mounts of its own: ", std::strerror(errno));
    if (user != 0) write_plainly("/proc/self/uid_map", concat("0 ", user, " 1"));
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return concat("mounts cannot be made private: ", std::strerror(errno));
    return std::string();
  }();
  return reason;
}

class Disk : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    write_study(
        "protocol: {items: 2, steps: 2}\ncalibration: {pairs: 2, pairs_per_item: 1, tokens: 256}\n"
        "schemes: [int4]\nmethods: [rtn, svdquant]\n");
    fs::create_directory(runs_);
  }
  void TearDown() override {
    if (mounted_) ::umount2(runs_.c_str(), MNT_DETACH);
  }

  /// Empty, or why there is no disk of its own under runs_.
  std::string mount_disk() {
    if (const std::string reason = own_mounts(); !reason.empty()) return reason;
    mounted_ = ::mount("svdlab-test", runs_.c_str(), "tmpfs", 0, "size=16m") == 0;
    return mounted_ ? "" : concat("no tmpfs: ", std::strerror(errno));
  }

  /// Another study beside the finished one, or the finished one again: refused by the system's reason, in
  /// the last line; what was there is as it was, but for the notes on the run itself.
  void expect_refused(
      const std::vector<std::string>& more, const std::string& reason, const Before& before = [] {}) {
    const Ended ended = run_study("runs", more, before);
    SCOPED_TRACE(ended.err);
    EXPECT_EQ(ended.code, 6);
    const size_t last = ended.err.rfind('\n', ended.err.size() - 2) + 1;
    EXPECT_EQ(ended.err.compare(last, 16, "error[resource]:"), 0);
    EXPECT_NE(ended.err.find(runs_, last), std::string::npos);
    EXPECT_NE(ended.err.find(reason, last), std::string::npos);
    Files now = files_in(runs_);
    for (const auto& [path, content] : finished_) {
      const std::string name = fs::path(path).filename().string();
      if (name != "status.json" && name != "provenance.json")
        EXPECT_TRUE(now.count(path) && now[path] == content) << path;
    }
    for (const auto& [path, content] : now) EXPECT_EQ(path.find(".tmp."), std::string::npos) << path;
  }

  void finish_a_study() {
    ASSERT_EQ(run_study("runs").code, 0);
    finished_ = files_in(runs_);
    ASSERT_GE(finished_.size(), 10u);
  }

  /// Leaves about `bytes` of the disk.
  void fill_but(size_t bytes) const {
    const std::string path = runs_ + "/filler";
    std::ofstream(path) << "";
    const std::string block(4096, 'x');
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    while (::write(fd, block.data(), block.size()) > 0) {
    }
    ::close(fd);
    fs::resize_file(path, fs::file_size(path) - std::min<size_t>(bytes, fs::file_size(path)));
  }

  const std::string runs_ = dir_.file("runs");
  bool mounted_ = false;
  Files finished_;
};

TEST_F(Disk, FullIsAnErrorAndWhatWasThereStays) {
  if (const std::string reason = mount_disk(); !reason.empty()) GTEST_SKIP() << reason;
  finish_a_study();
  for (const size_t left : {size_t{0}, size_t{40} << 10, size_t{160} << 10}) {
    SCOPED_TRACE(left);
    fill_but(left);
    expect_refused({"seed=1"}, "No space left on device");
  }
  fill_but(0);
  expect_refused({}, "No space left on device");
  fs::remove(runs_ + "/filler");
  EXPECT_EQ(run_study("runs", {"seed=1"}).code, 0);
}

TEST_F(Disk, ReadOnlyIsAnErrorAndWhatWasThereStays) {
  if (const std::string reason = mount_disk(); !reason.empty()) GTEST_SKIP() << reason;
  finish_a_study();
  ASSERT_EQ(::mount("", runs_.c_str(), "", MS_REMOUNT | MS_RDONLY, ""), 0) << std::strerror(errno);
  expect_refused({}, "Read-only file system");
  expect_refused({"seed=1"}, "Read-only file system");
  EXPECT_EQ(files_in(runs_), finished_);
}

TEST_F(Disk, ALimitOnTheSizeOfFilesIsAnErrorAndWhatWasThereStays) {
  finish_a_study();
  for (const rlim_t bytes : {rlim_t{4} << 10, rlim_t{30} << 10}) {
    SCOPED_TRACE(bytes);
    expect_refused({concat("seed=", bytes)}, "File too large", [bytes] {
      const rlimit limit{bytes, bytes};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    });
  }
}

}  // namespace
}  // namespace svdlab
