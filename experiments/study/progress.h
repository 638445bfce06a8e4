#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace svdlab {

/// A line on stderr.
void log_line(const std::string& text);

/// How far a stage has come, on stderr: rewritten in place on a terminal, else a line every ten seconds.
/// Calls must not overlap in time.
class Progress {
 public:
  explicit Progress(std::string stage);
  ~Progress();  ///< clears the line on a terminal
  void update(int64_t done, int64_t total);
  double seconds() const;

 private:
  std::string stage_;
  std::chrono::steady_clock::time_point start_, shown_;
  bool terminal_, dirty_ = false;
};

}  // namespace svdlab
