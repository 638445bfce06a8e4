#pragma once

namespace svdlab {

/// While an object of this class lives, tensor operations of the calling thread use that thread alone, and
/// BLAS uses one thread for every caller: what code that is parallel over items or layers needs, both for
/// speed (threads times threads) and so that results do not depend on the number of cores. May be nested and
/// held by several threads.
class SingleThreadScope {
 public:
  SingleThreadScope();
  ~SingleThreadScope();
  SingleThreadScope(const SingleThreadScope&) = delete;
  SingleThreadScope& operator=(const SingleThreadScope&) = delete;

 private:
  int previous_;
};

}  // namespace svdlab
