// The loops of gemm_wgmma.cuh: how a product is cut into tiles does not change it.
#include "kernels/gemm_wgmma.cuh"

#include "tests/kernels/cuda/on_gpu.h"

namespace svdlab {
namespace {

using testing::LinearCall;
using testing::LinearProblem;
using testing::LinearShape;
using testing::Memory;
using testing::Pair;

std::vector<uint16_t> product(const LinearProblem& problem, int tokens) {
  Memory memory(Device::kCuda);
  const LinearCall call(problem, memory);
  const Stream stream = memory.stream(detail::gemm_wgmma_workspace(call.op));
  detail::gemm_wgmma_cuda(call.op, *call.op.main_loop, stream.workspace, stream, tokens);
  memory.wait(stream);
  return memory.get<uint16_t>(call.op.out.bits.data, problem.shape.m * problem.shape.n);
}

class GemmWgmmaGpu : public testing::OnGpu {};

TEST_F(GemmWgmmaGpu, SmallWidthsAgree) {
  if (cuda_architecture() != 90) GTEST_SKIP() << "wgmma needs sm_90";
  for (const auto& [loop, pair] : {std::pair{MainLoop::kInt8, Pair::kW8A8},
                                   {MainLoop::kInt8, Pair::kW4A8},
                                   {MainLoop::kNvfp4, Pair::kNvfp4}}) {
    const LinearProblem problem(
        {.m = 600, .n = 328, .k = 192, .rank = 48, .pair = pair, .loop = loop, .out = HalfType::kFp16});
    const std::vector<uint16_t> expected = product(problem, 128);
    for (const int tokens : {192, 224, 256}) EXPECT_EQ(product(problem, tokens), expected) << tokens;
    EXPECT_EQ(testing::run(problem, Device::kCuda).out, expected);
  }
}

}  // namespace
}  // namespace svdlab
