#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/io/files.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"

namespace svdlab {

struct Ended {
  int code = -1;  ///< exit code, or -signal
  std::string out, err;
};

/// The program as users run it, in a folder of its own with a throw-away model.
class Program : public ::testing::Test {
 protected:
  /// What the child does between fork and exec; only what a child of a process with threads may do.
  using Before = std::function<void()>;

  void SetUp() override {
    ASSERT_TRUE(std::filesystem::exists(kProgram)) << kProgram << " is not built";
    testing::write_random_model(dir_.file("model"));
    write_study(
        "protocol: {items: 6, steps: 4}\ncalibration: {pairs: 4, pairs_per_item: 2, tokens: 256}\n"
        "schemes: [int4, nvfp4]\nmethods: [rtn, smooth, svdquant, svdquant-gptq]\n");
  }

  void write_study(const std::string& rest) const {
    write_file(dir_.file("study.yaml"), "study: s\nmodel: " + dir_.file("model") + "\n" + rest);
  }

  pid_t start(
      const std::vector<std::string>& arguments, const Before& before = [] {}) const {
    const std::string out = dir_.file("out"), err = dir_.file("err");
    std::vector<char*> argv = {const_cast<char*>(kProgram)};
    for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    for (const auto& [name, target] : {std::pair(&out, STDOUT_FILENO), std::pair(&err, STDERR_FILENO)})
      ::dup2(::open(name->c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), target);
    before();
    ::execv(kProgram, argv.data());
    ::_exit(127);
  }

  Ended wait(pid_t pid) const {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), read_file(dir_.file("out")),
            read_file(dir_.file("err"))};
  }
  Ended run(
      const std::vector<std::string>& arguments, const Before& before = [] {}) const {
    return wait(start(arguments, before));
  }

  std::vector<std::string> study_arguments(const std::string& runs,
                                           const std::vector<std::string>& more = {}) const {
    std::vector<std::string> out = {"run", dir_.file("study.yaml"), "--runs", dir_.file(runs)};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  Ended run_study(
      const std::string& runs, const std::vector<std::string>& more = {},
      const Before& before = [] {}) const {
    return run(study_arguments(runs, more), before);
  }

  /// The study, stopped by `signal` when it has put a file in place whose path ends with `file`.
  Ended run_study_until(const std::string& file, int signal, const std::string& runs) const {
    const std::string wish = concat(signal, ":after:", file);
    return run_study(runs, {}, [&] { preload(wish); });
  }

  /// For Before: the program gets a signal at one of its renames (tests/support/preload/rename_signal.c).
  static void preload(const std::string& wish) {
    ::setenv("LD_PRELOAD", SVDLAB_BINARY_DIR "/tests/test_rename_signal.so", 1);
    // A sanitizer wants to be loaded first, and would refuse.
    const char* options = std::getenv("ASAN_OPTIONS");
    ::setenv("ASAN_OPTIONS", concat(options ? options : "", ":verify_asan_link_order=0").c_str(), 1);
    ::setenv("SVDLAB_RENAME_SIGNAL", wish.c_str(), 1);
  }

  std::string run_folder(const std::string& runs) const {
    for (const auto& entry : std::filesystem::directory_iterator(dir_.file(runs)))
      if (entry.path().filename() != "cache") return entry.path().string();
    return "";
  }

  static constexpr const char* kProgram = SVDLAB_BINARY_DIR "/svdlab";
  testing::TempDir dir_;
};

}  // namespace svdlab
