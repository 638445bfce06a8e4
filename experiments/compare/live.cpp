#include "experiments/compare/live.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/base/error.h"
#include "core/io/files.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_quietly(const std::string& binary, const std::vector<std::string>& arguments) {
  std::vector<char*> argv = {const_cast<char*>(binary.c_str())};
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, binary.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  SVDLAB_REQUIRE(failed == 0, Errc::kInput, binary, ": cannot be started: ", std::strerror(failed));
  return wait_for(pid);
}

std::string finished_run(const std::string& folder) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (fs::exists(entry.path() / "results.h5")) return entry.path().string();
  return "";
}

// Files count by content, overrides as they are.
std::string identity_of(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (fs::is_regular_file(word) ? sha256_file(word) : word) + "\n";
  return sha256(all).substr(0, 12);
}

}  // namespace

std::string run_live(const std::string& binary, const std::string& side,
                     const std::vector<std::string>& words, const std::string& runs, int threads) {
  SVDLAB_REQUIRE(fs::is_regular_file(binary), Errc::kInput, binary, ": no such program");
  const std::string folder =
      runs + "/" + side + "-" + sha256_file(binary).substr(0, 12) + "-" + identity_of(words);
  make_directories(folder);
  std::vector<std::string> arguments = {"run"};
  arguments.insert(arguments.end(), words.begin(), words.end());
  for (const std::string& a :
       {std::string("--runs"), folder, std::string("--threads"), std::to_string(threads)})
    arguments.push_back(a);
  const int code = run_quietly(fs::absolute(binary).string(), arguments);
  const std::string run = finished_run(folder);
  SVDLAB_REQUIRE(!run.empty() && (code == 0 || code == static_cast<int>(Errc::kFailedCells)), Errc::kInput,
                 binary, ": the study ended with exit code ", code,
                 " and is not compared; what it left is in ", folder);
  return run;
}

}  // namespace svdlab
