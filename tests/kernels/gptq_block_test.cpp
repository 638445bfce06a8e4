#include "kernels/gptq_block.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/error.h"
#include "tests/kernels/gptq_problem.h"

namespace svdlab {
namespace {

TEST(GptqBlock, AnInt4ColumnByHand) {
  // Two columns, one row, a step of 1: 2.4 is stored as 2, the second gets 0.4 / 0.5 * 0.25 = 0.2 less.
  const std::vector<int64_t> order = {1, 0};
  const std::vector<double> upper = {0.5, 0.25, 0, 1};
  std::vector<double> rest = {2.4, -0.4}, errors(2);
  std::vector<uint8_t> codes(2);
  const std::vector<float> scales = {1, 1};
  gptq_block({.begin = 0,
              .end = 2,
              .order = order.data(),
              .upper = {upper.data(), 2, 2},
              .rest = {rest.data(), 2, 1},
              .errors = {errors.data(), 2, 1},
              .codes = {codes.data(), 1, 2},
              .scales = {scales.data(), 1, 2},
              .group = 1});
  EXPECT_EQ(codes[1], 2);
  EXPECT_NEAR(errors[0], 0.8, 1e-12);
  EXPECT_EQ(codes[0], 0xf) << "-0.6 rounds to -1";
  EXPECT_NEAR(errors[1], 0.4, 1e-12);
}

TEST(GptqBlock, WithoutCouplingItIsRoundToNearest) {
  testing::GptqProblem problem{.channels = 96, .rows = 5, .coupled = false};
  testing::Memory memory(Device::kCpu);
  const GptqBlock block = problem.call(memory, 0, 96);
  gptq_block(block);
  for (int64_t n = 0; n < problem.rows; ++n)
    for (int64_t j = 0; j < 96; ++j) {
      const float step = block.scales(n, block.order[j] / block.group) * block.tensor_scale;
      const float nearest = std::nearbyint(static_cast<float>(problem.value(j, n)) / step);
      const int code = (block.codes(n, block.order[j]) ^ 8) - 8;
      EXPECT_EQ(code, std::clamp(nearest, -7.0f, 7.0f)) << n << ", " << j;
    }
}

TEST(GptqBlock, RefusesShapesThatDoNotFit) {
  testing::GptqProblem problem{.channels = 192, .rows = 5};
  testing::Memory memory(Device::kCpu);
  EXPECT_THROW(gptq_block(problem.call(memory, 0, 129)), Error);
  EXPECT_THROW(gptq_block(problem.call(memory, 128, 193)), Error);
  GptqBlock block = problem.call(memory, 0, 64);
  block.scales.cols = 2;
  EXPECT_THROW(gptq_block(block), Error);
}

}  // namespace
}  // namespace svdlab
