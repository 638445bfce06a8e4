#pragma once
#include <functional>
#include <thread>

namespace svdlab {

/// While an object of this class lives, SIGINT and SIGTERM call `last_words` on a thread of its own and end
/// the process with 130 or 143. Whatever was being written stays a temporary, which the next run removes. One
/// object at a time.
class InterruptWatch {
 public:
  explicit InterruptWatch(std::function<void()> last_words);
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

 private:
  void watch();

  std::function<void()> last_words_;
  std::thread thread_;
};

}  // namespace svdlab
