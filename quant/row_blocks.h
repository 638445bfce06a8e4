#pragma once
#include <algorithm>
#include <functional>

#include "core/base/parallel.h"
#include "core/ir/tensor.h"
#include "core/runtime/single_thread.h"

namespace svdlab {

/// Calls body(begin, end) for [0, size) in blocks of `block` (the last may be shorter), each on one of
/// `threads` threads with library threads off. Blocks do not depend on the thread count, so neither does what
/// is computed from them.
inline void for_each_block(int64_t size, int64_t block, int threads,
                           const std::function<void(int64_t begin, int64_t end)>& body) {
  parallel_for((size + block - 1) / block, threads, [&](int64_t i, int) {
    const SingleThreadScope single;
    const NoGradGuard no_grad;
    body(i * block, std::min(size, (i + 1) * block));
  });
}

}  // namespace svdlab
