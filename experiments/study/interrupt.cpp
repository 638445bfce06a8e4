#include "experiments/study/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "core/base/error.h"

namespace svdlab {
namespace {

// A handler may do almost nothing, so it passes the signal's number on through a pipe; 0 ends the watch.
int signal_pipe[2] = {-1, -1};

void pass_on(int signal) {
  const int saved = errno;
  const auto number = static_cast<unsigned char>(signal);
  [[maybe_unused]] const ssize_t ignored = ::write(signal_pipe[1], &number, 1);
  errno = saved;
}

void handle_with(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
}

}  // namespace

InterruptWatch::InterruptWatch(std::function<void()> last_words) : last_words_(std::move(last_words)) {
  SVDLAB_REQUIRE(::pipe(signal_pipe) == 0, Errc::kResource, "no pipe for signals");
  thread_ = std::thread([this] { watch(); });
  handle_with(pass_on);
}

void InterruptWatch::watch() {
  unsigned char signal = 0;
  while (::read(signal_pipe[0], &signal, 1) < 0 && errno == EINTR) {
  }
  if (signal == 0) return;
  try {
    last_words_();
  } catch (...) {  // nothing more can be done for the status file
  }
  std::fprintf(stderr, "\ninterrupted; the same command goes on from the finished cells\n");
  ::_exit(128 + signal);
}

InterruptWatch::~InterruptWatch() {
  handle_with(SIG_DFL);
  pass_on(0);
  thread_.join();
  for (int& end : signal_pipe) ::close(end), end = -1;
}

}  // namespace svdlab
