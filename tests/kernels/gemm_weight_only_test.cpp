#include "kernels/gemm_weight_only.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/kernels/weight_only_problem.h"
#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::decoded;
using testing::Memory;
using testing::run;
using testing::throws_error;
using testing::WeightOnlyProblem;
using testing::WeightOnlyShape;

TEST(GemmWeightOnly, EqualsFp64OnTheDequantizedWeights) {
  constexpr int64_t kRows[] = {1, 7, 16, 44, 129}, kRanks[] = {0, 16, 32, 48, 64, 128};
  constexpr int64_t kSizes[][2] = {{1536, 256}, {256, 1024}, {1152, 1152}, {8, 64}, {72, 320}};
  int turn = 0;
  for (const auto& [n, k] : kSizes)
    for (const NumberFormat format : {NumberFormat::kInt4, NumberFormat::kNf4})
      for (const bool smooth : {false, true}) {
        const WeightOnlyProblem problem({.m = n * k > 1000000 ? 1 : kRows[turn % 5],
                                         .n = n,
                                         .k = k,
                                         .rank = kRanks[turn % 6],
                                         .format = format,
                                         .type = turn % 3 ? HalfType::kBf16 : HalfType::kFp16,
                                         .smooth = smooth});
        ++turn;
        SCOPED_TRACE(to_string(problem.shape));
        const std::vector<double> exact = problem.oracle();
        const std::vector<float> actual = decoded(problem.shape.type, run(problem, Device::kCpu));
        double largest = 0;
        for (const double y : exact) largest = std::max(largest, std::fabs(y));
        const double half_ulp = problem.shape.type == HalfType::kBf16 ? 0x1p-8 : 0x1p-11;
        for (size_t i = 0; i < exact.size(); ++i) {
          const bool ok =
              std::fabs(actual[i] - exact[i]) <= half_ulp * std::fabs(exact[i]) + 0x1p-19 * largest;
          ASSERT_TRUE(ok) << "out[" << i << "] = " << actual[i] << ", not " << exact[i];
        }
      }
}

::testing::AssertionResult refuses(const std::function<void(GemmWeightOnly&)>& change, Errc code,
                                   const std::vector<std::string>& parts) {
  Memory memory(Device::kCpu);
  GemmWeightOnly op = WeightOnlyProblem({.m = 4, .n = 16, .k = 128, .rank = 16, .smooth = true}).call(memory);
  change(op);
  return throws_error([&] { gemm_weight_only(op); }, code, parts);
}

TEST(GemmWeightOnlyRefusals, NameTheNumbers) {
  using Op = GemmWeightOnly;
  EXPECT_TRUE(refuses([](Op& op) { op.x.bits.cols = 72; }, Errc::kConfig, {"72 input columns"}));
  EXPECT_TRUE(refuses([](Op& op) { op.x.bits.row_stride = 130; }, Errc::kInput, {"x has row stride 130"}));
  EXPECT_TRUE(refuses([](Op& op) { op.w.cols = 64; }, Errc::kInput, {"128 columns", "have 64"}));
  EXPECT_TRUE(refuses([](Op& op) { op.w.rows = 20; }, Errc::kConfig, {"20 output columns"}));
  EXPECT_TRUE(
      refuses([](Op& op) { op.w.layout = CodeLayout::kFragments64; }, Errc::kConfig, {"in fragments64"}));
  EXPECT_TRUE(refuses([](Op& op) { op.w.group = 128; }, Errc::kConfig, {"groups of 128"}));
  EXPECT_TRUE(refuses([](Op& op) { op.w.format = NumberFormat::kFp4E2M1; }, Errc::kConfig, {"e2m1"}));
  EXPECT_TRUE(refuses([](Op& op) { op.up.bits.rows = 8; }, Errc::kInput, {"up is [8, 16]", "[16, 16]"}));
  EXPECT_TRUE(
      refuses([](Op& op) { op.out.type = HalfType::kFp16; }, Errc::kInput, {"out is fp16", "x is bf16"}));
  EXPECT_TRUE(
      refuses([](Op& op) { const_cast<float*>(op.divide_by)[70] = 0; }, Errc::kInput, {"divide_by[70] = 0"}));
}

}  // namespace
}  // namespace svdlab
