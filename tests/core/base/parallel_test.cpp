#include "core/base/parallel.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

namespace svdlab {
namespace {

TEST(ParallelFor, EveryIndexOnceForAnyThreadCount) {
  for (const int threads : {0, 1, 2, 7}) {
    for (const int64_t count : {0, 1, 3, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
      std::atomic<bool> worker_in_range{true};
      parallel_for(count, threads, [&](int64_t i, int worker) {
        ++visits[static_cast<size_t>(i)];
        if (worker < 0 || worker >= std::max(threads, 1)) worker_in_range = false;
      });
      for (const auto& v : visits) ASSERT_EQ(v, 1) << threads << " threads, " << count << " indices";
      EXPECT_TRUE(worker_in_range);
    }
  }
}

TEST(ParallelFor, OneThreadRunsInOrderOnTheCaller) {
  std::vector<int64_t> order;
  const auto caller = std::this_thread::get_id();
  parallel_for(5, 1, [&](int64_t i, int) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    order.push_back(i);
  });
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

// Indices are handed out in order, so when i fails every smaller one has begun and its failure is seen too.
TEST(ParallelFor, RethrowsTheFailureOfTheSmallestIndex) {
  for (int repeat = 0; repeat < 50; ++repeat) {
    try {
      parallel_for(100, 4, [](int64_t i, int) {
        if (i == 20) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        if (i >= 20) throw std::runtime_error(std::to_string(i));
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "20");
    }
  }
}

TEST(ParallelFor, StopsHandingOutIndicesAfterAFailure) {
  std::atomic<int64_t> ran{0};
  EXPECT_THROW(parallel_for(1000000, 2, [&](int64_t, int) { ++ran, throw std::runtime_error("x"); }),
               std::runtime_error);
  EXPECT_LE(ran, 2);
}

}  // namespace
}  // namespace svdlab
