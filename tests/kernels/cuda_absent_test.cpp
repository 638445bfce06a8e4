// A build without CUDA (kernels/cuda_absent.cpp) refuses the GPU side of every op by name.
#include <gtest/gtest.h>

#include "tests/kernels/weight_only_problem.h"
#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::throws_error;

class CudaAbsent : public ::testing::Test {
  void SetUp() override {
    if (cuda_device_problem() != "built without CUDA") GTEST_SKIP() << "built with CUDA";
  }
};

const Stream kGpu{.device = Device::kCuda};

TEST_F(CudaAbsent, OpsAreUnsupportedByName) {
  testing::Memory memory(Device::kCpu);
  const QuantizeFuseDown quantize = testing::InputProblem({.m = 2, .k = 64}).call(memory);
  const testing::LinearCall gemm(testing::LinearProblem({.m = 2, .n = 8, .k = 64}), memory);
  const GemmWeightOnly weight_only = testing::WeightOnlyProblem({.m = 2, .n = 8, .k = 64}).call(memory);
  const auto refused = [](auto call, const char* name) {
    return throws_error(call, Errc::kConfig, {"unsupported", name, "built without CUDA"});
  };
  EXPECT_TRUE(refused([&] { quantize_fuse_down(quantize, kGpu); }, "quantize_fuse_down"));
  EXPECT_TRUE(refused([&] { quantize_fuse_down_workspace(quantize, Device::kCuda); }, "quantize_fuse_down"));
  EXPECT_TRUE(refused([&] { gemm_quantized(gemm.op, kGpu); }, "gemm_quantized"));
  EXPECT_TRUE(refused([&] { gemm_quantized_workspace(gemm.op, Device::kCuda); }, "gemm_quantized"));
  EXPECT_TRUE(refused([&] { gemm_weight_only(weight_only, kGpu); }, "gemm_weight_only"));
  EXPECT_TRUE(refused([&] { detail::quantize_fuse_down_cuda(quantize, kGpu); }, "quantize_fuse_down"));
  EXPECT_TRUE(
      refused([&] { detail::gemm_quantized_cuda(gemm.op, MainLoop::kExact, kGpu); }, "gemm_quantized"));
  EXPECT_TRUE(refused([&] { detail::gemm_weight_only_cuda(weight_only, kGpu); }, "gemm_weight_only"));
}

TEST_F(CudaAbsent, DeviceFunctionsToo) {
  EXPECT_TRUE(throws_error([] { cuda_architecture(); }, Errc::kConfig, {"unsupported"}));
  EXPECT_TRUE(throws_error([] { cuda_device_name(); }, Errc::kConfig, {"unsupported"}));
  EXPECT_TRUE(throws_error([] { CudaBuffer(16); }, Errc::kConfig, {"unsupported"}));
  EXPECT_TRUE(throws_error([] { cuda_synchronize({}); }, Errc::kConfig, {"unsupported"}));
}

// The refusal of a wrong call comes first: it is the same on both devices.
TEST_F(CudaAbsent, ShapesAreCheckedFirst) {
  testing::Memory memory(Device::kCpu);
  QuantizeFuseDown quantize = testing::InputProblem({.m = 2, .k = 64}).call(memory);
  quantize.x.bits.cols = 72;
  EXPECT_TRUE(throws_error([&] { quantize_fuse_down(quantize, kGpu); }, Errc::kConfig, {"72 input columns"}));
}

}  // namespace
}  // namespace svdlab
