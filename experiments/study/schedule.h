#pragma once
#include <cstdint>
#include <functional>

namespace svdlab {

/// How work is spread; results do not depend on it.
struct Schedule {
  int threads = 1;
  int64_t batch = 0;  ///< items handed out at a time; 0: all
};

/// body(i) for i in [begin, end) on the schedule's workers, one torch thread each. `progress(done, total)`
/// calls do not overlap.
void for_each_item(int64_t begin, int64_t end, const Schedule& schedule,
                   const std::function<void(int64_t)>& body,
                   const std::function<void(int64_t, int64_t)>& progress = {});

}  // namespace svdlab
