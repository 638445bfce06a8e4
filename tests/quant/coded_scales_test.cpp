#include "quant/coded_scales.h"

#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::random_tensor;

TEST(CodedScales, ErrorIsAtMostHalfAStepOfTheRunAndTheRoundingOfItsSixteenBitNumbers) {
  const Tensor values = random_tensor({40, 20}, "scales").abs().add(0.1).mul(at::logspace(-6, 6, 20));
  for (const ScaleCoding coding : {ScaleCoding{8, 256}, ScaleCoding{3, 16}, ScaleCoding{1, 7}}) {
    const Tensor back = coded(values, coding), flat = values.flatten();
    for (int64_t begin = 0; begin < flat.numel(); begin += coding.group) {
      const Tensor run = flat.slice(0, begin, begin + coding.group),
                   decoded = back.flatten().slice(0, begin, begin + coding.group);
      const double least = run.min().item<double>(), most = run.max().item<double>();
      const double bound = 0.5001 * (most - least) / ((1 << coding.bits) - 1) + 0x1p-7 * most;
      EXPECT_TRUE((run - decoded).abs().max().item<double>() <= bound) << begin;
    }
  }
}

TEST(CodedScales, AsManyDifferentValuesAsCodes) {
  const Tensor back = coded(random_tensor({64}, "scales").abs(), {.bits = 3, .group = 16});
  for (int64_t run = 0; run < 4; ++run)
    EXPECT_LE(std::get<0>(at::_unique(back.slice(0, 16 * run, 16 * run + 16))).numel(), 8);
  EXPECT_GT(std::get<0>(at::_unique(back)).numel(), 16) << "runs have ranges of their own";
}

TEST(CodedScales, EqualOnesAndZerosAreKept) {
  expect_identical(coded(at::full({3, 9}, 0.375f), {}), at::full({3, 9}, 0.375f));
  expect_identical(coded(at::zeros({5}), {}), at::zeros({5}));
  expect_identical(coded(at::full({4}, 0x1p-126f), {}), at::full({4}, 0x1p-126f));
  EXPECT_EQ(coded(at::zeros({0, 4}), {}).numel(), 0);
}

TEST(CodedScales, SmallIntegersAreExactInThreeBits) {
  const Tensor zeros = random_tensor({16, 8}, "zeros").mul(3).add(3).round().clamp(0, 7);
  expect_identical(coded(zeros, {.bits = 3, .group = 16}).round() + 0.0f, zeros + 0.0f);
}

TEST(CodedScales, PowersOfTwoScaleThrough) {
  const Tensor values = random_tensor({300}, "scales").abs();
  expect_identical(coded(values * 64, {}), coded(values, {}) * 64);
}

}  // namespace
}  // namespace svdlab
