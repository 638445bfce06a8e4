// gemm_weight_only on a GPU against fp64 on the same operands.
#include "kernels/gemm_weight_only.h"

#include "tests/kernels/cuda/on_gpu.h"
#include "tests/kernels/weight_only_problem.h"

namespace svdlab {
namespace {

using testing::decoded;
using testing::run;
using testing::WeightOnlyProblem;
using testing::WeightOnlyShape;

class GemmWeightOnlyGpu : public testing::OnGpu {};

void expect_oracle(const WeightOnlyShape& shape) {
  SCOPED_TRACE(to_string(shape));
  const WeightOnlyProblem problem(shape);
  const std::vector<uint16_t> bits = run(problem, Device::kCuda, 0xff);
  EXPECT_EQ(run(problem, Device::kCuda, 0x5a), bits) << "two runs differ";
  testing::expect_sqnr(shape.type, decoded(shape.type, bits), problem.oracle(),
                       shape.smooth ? 50.0 : testing::least_db(shape.type), "out");
}

TEST_F(GemmWeightOnlyGpu, SmallProblems) {
  constexpr int64_t kSizes[][2] = {{256, 64}, {1536, 256}, {256, 1024}, {264, 320}, {72, 3136}};
  int turn = 0;
  for (const int64_t m : {1, 2, 7, 8, 15, 16, 17, 44, 129})
    for (const auto& [n, k] : kSizes)
      for (const NumberFormat format : {NumberFormat::kInt4, NumberFormat::kNf4}) {
        expect_oracle({.m = m,
                       .n = n,
                       .k = k,
                       .rank = testing::kRanks[turn % 6],
                       .format = format,
                       .type = turn % 3 ? HalfType::kBf16 : HalfType::kFp16,
                       .smooth = turn % 5 == 0});
        ++turn;
      }
}

TEST_F(GemmWeightOnlyGpu, AdaLnShapes) {
  for (const int64_t m : {1, 4, 16})
    for (const int64_t n : {3072 * 3, 3072 * 6}) expect_oracle({.m = m, .n = n, .k = 3072});
  expect_oracle({.m = 1, .n = 6 * 1152, .k = 1152, .rank = 32});
}

TEST_F(GemmWeightOnlyGpu, ManyRows) {
  for (const NumberFormat format : {NumberFormat::kInt4, NumberFormat::kNf4})
    expect_oracle({.m = 1000, .n = 1152, .k = 1152, .rank = 32, .format = format});
}

}  // namespace
}  // namespace svdlab
