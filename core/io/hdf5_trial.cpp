#include "core/io/hdf5_trial.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace svdlab::hdf5 {
namespace {

constexpr rlim_t kSeconds = 3;                // of processor time, for any file ...
constexpr size_t kBytesPerSecond = 10 << 20;  // ... and for its size, a tenth of what reading gets through

// What the library says when it aborts belongs to nobody's output.
void mute() {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);
}

[[noreturn]] void be_the_child(size_t bytes, const std::function<void()>& read) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it holds the locks of its parent and must not outlive it
  for (const int signal : {SIGINT, SIGTERM}) ::signal(signal, SIG_IGN);  // the parent decides
  const rlim_t seconds = kSeconds + bytes / kBytesPerSecond;
  const rlimit limit{seconds, seconds};
  ::setrlimit(RLIMIT_CPU, &limit);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  mute();
  try {
    read();
  } catch (...) {  // a refusal; the parent meets it again and has the words for it
  }
  ::_exit(0);
}

}  // namespace

void try_in_child(const std::string& file, size_t bytes, const std::function<void()>& read) {
  const pid_t child = ::fork();
  SVDLAB_REQUIRE(child >= 0, Errc::kResource, file, ": no process to read it in: ", std::strerror(errno));
  if (child == 0) be_the_child(bytes, read);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    SVDLAB_REQUIRE(errno == EINTR, Errc::kUnexpected, file, ": the process that reads it is lost");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  const bool busy = WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGXCPU);
  throw Error(Errc::kInput, concat(file, ": damaged: the HDF5 library ",
                                   busy ? "does not come to an end with it" : "crashes on it"));
}

}  // namespace svdlab::hdf5
