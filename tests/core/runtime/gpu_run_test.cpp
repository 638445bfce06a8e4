#include "core/runtime/gpu_run.h"

#include <gtest/gtest.h>

#include "core/runtime/kernel_stream.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

TEST(GpuRun, WithoutAGpuIsRefusedByName) {
  if (gpu_problem().empty()) GTEST_SKIP() << "there is a GPU";
  EXPECT_TRUE(testing::throws_error([] { GpuMark(); }, Errc::kConfig, {"unsupported"}));
  EXPECT_TRUE(testing::throws_error([] { GpuRecording([] {}); }, Errc::kConfig, {"unsupported"}));
  EXPECT_EQ(gpu_memory().peak, 0);
}

TEST(GpuRun, ARecordingRepeatsItsWorkOnWhatItsTensorsHoldNow) {
  if (const std::string problem = gpu_problem(); !problem.empty())
    GTEST_SKIP() << "no CUDA device: " << problem;
  const Tensor x = at::ones({1000}, at::TensorOptions(at::kFloat).device(at::kCUDA));
  Tensor y;
  const GpuRecording recording([&] { y = x * 2; });
  x.fill_(3);
  const GpuMark begin;
  recording.replay();
  const GpuMark end;
  EXPECT_GE(end.ms_since(begin), 0.0);
  EXPECT_TRUE(y.eq(6).all().item<bool>());
}

TEST(GpuRun, PeakIsOfWhatWasHeldSinceItWasForgotten) {
  if (const std::string problem = gpu_problem(); !problem.empty())
    GTEST_SKIP() << "no CUDA device: " << problem;
  gpu_forget_peak();
  const int64_t before = gpu_memory().peak;
  { const Tensor large = at::empty({1 << 20}, at::TensorOptions(at::kByte).device(at::kCUDA)); }
  EXPECT_GE(gpu_memory().peak - before, 1 << 20);
  EXPECT_LT(gpu_memory().allocated, gpu_memory().peak);
}

}  // namespace
}  // namespace svdlab
