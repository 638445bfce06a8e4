#include "experiments/study/schedule.h"

#include <mutex>

#include "core/base/parallel.h"
#include "core/ir/tensor.h"
#include "core/runtime/single_thread.h"

namespace svdlab {

void for_each_item(int64_t begin, int64_t end, const Schedule& schedule,
                   const std::function<void(int64_t)>& body,
                   const std::function<void(int64_t, int64_t)>& progress) {
  const int64_t batch = schedule.batch > 0 ? schedule.batch : std::max<int64_t>(1, end - begin);
  std::mutex mutex;
  int64_t done = 0;
  for (int64_t first = begin; first < end; first += batch)
    parallel_for(std::min(batch, end - first), schedule.threads, [&](int64_t i, int) {
      const SingleThreadScope one_thread;
      const NoGradGuard no_grad;
      body(first + i);
      const std::lock_guard lock(mutex);
      ++done;
      if (progress) progress(done, end - begin);
    });
}

}  // namespace svdlab
