#include "experiments/study/progress.h"

#include <unistd.h>

#include <cstdio>

namespace svdlab {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kTerminalPause{200};
constexpr std::chrono::seconds kLogPause{10};

}  // namespace

void log_line(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

Progress::Progress(std::string stage)
    : stage_(std::move(stage)),
      start_(Clock::now()),
      shown_(start_),
      terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (dirty_) std::fprintf(stderr, "\r\033[K");
}

double Progress::seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

void Progress::update(int64_t done, int64_t total) {
  const Clock::time_point now = Clock::now();
  if (now - shown_ < (terminal_ ? Clock::duration(kTerminalPause) : Clock::duration(kLogPause))) return;
  shown_ = now;
  const double left =
      done > 0 ? seconds() * static_cast<double>(total - done) / static_cast<double>(done) : 0;
  std::fprintf(stderr, terminal_ ? "\r\033[K%s %lld/%lld, %.0f s left" : "%s %lld/%lld, %.0f s left\n",
               stage_.c_str(), static_cast<long long>(done), static_cast<long long>(total), left);
  dirty_ = terminal_;
}

}  // namespace svdlab
