// quantize_fuse_down on a GPU against its meaning on the CPU.
#include "kernels/quantize_fuse_down.h"

#include <limits>

#include "tests/kernels/cuda/on_gpu.h"

namespace svdlab {
namespace {

using testing::all;
using testing::expect_close_low_rank;
using testing::expect_equal_codes;
using testing::expect_nearly_equal_codes;
using testing::InputProblem;
using testing::InputResult;
using testing::InputShape;
using testing::run;
using testing::sample;

class QuantizeFuseDownGpu : public testing::OnGpu {};

constexpr struct {
  NumberFormat format;
  CodeLayout layout;
} kForms[] = {{NumberFormat::kInt4, CodeLayout::kE4M3},       {NumberFormat::kInt4, CodeLayout::kNibbles},
              {NumberFormat::kUint4, CodeLayout::kE4M3},      {NumberFormat::kUint4, CodeLayout::kNibbles},
              {NumberFormat::kFp4E2M1, CodeLayout::kNibbles}, {NumberFormat::kInt8, CodeLayout::kBytes}};

// Two runs over memory that held different bytes give the same bits: everything is written, in one order.
InputResult run_twice(const InputProblem& problem) {
  InputResult first = run(problem, Device::kCuda, 0xff);
  const InputResult second = run(problem, Device::kCuda, 0x5a);
  expect_equal_codes(second.codes, first.codes);
  EXPECT_EQ(std::memcmp(second.low_rank.data(), first.low_rank.data(), first.low_rank.size() * 4), 0);
  return first;
}

// Codes to the byte without a step; behind one, at most 1 of 1000 off by one.
void expect_cpu_result(const InputShape& shape) {
  SCOPED_TRACE(to_string(shape));
  const InputProblem problem(shape);
  const InputResult actual = run_twice(problem), expected = run(problem, Device::kCpu);
  if (shape.step == InputStep::kNone)
    expect_equal_codes(actual.codes, expected.codes);
  else
    expect_nearly_equal_codes(unpack_matrix(actual.codes.view()), unpack_matrix(expected.codes.view()));
  expect_close_low_rank(actual.low_rank, expected.low_rank);
}

TEST_F(QuantizeFuseDownGpu, SmallProblemsAreByteIdentical) {
  int turn = 0;
  for (const auto& form : kForms)
    for (const int64_t m : testing::kSmallRows)
      for (const int64_t k : {64, 256, 1024, 1152, 1280, 4608}) {
        const int64_t rank = testing::kRanks[turn++ % 6];
        expect_cpu_result({.m = m,
                           .k = k,
                           .rank = rank,
                           .format = form.format,
                           .layout = form.layout,
                           .type = turn % 4 == 0 ? HalfType::kFp16 : HalfType::kBf16,
                           .smooth = turn % 5 != 0,
                           .down_low = rank > 0 && turn % 3 == 0,
                           .continues = turn % 7 == 0});
      }
}

TEST_F(QuantizeFuseDownGpu, SmallProblemsBehindGelu) {
  for (const auto& form : kForms)
    for (const int64_t m : {7, 129})
      for (const HalfType type : {HalfType::kBf16, HalfType::kFp16})
        expect_cpu_result({.m = m,
                           .k = 1024,
                           .rank = 32,
                           .format = form.format,
                           .layout = form.layout,
                           .type = type,
                           .step = InputStep::kGelu});
}

TEST_F(QuantizeFuseDownGpu, SmallProblemsBehindLayerNormAndModulation) {
  for (const auto& form : kForms)
    for (const int64_t k : {256, 1152, 3072})
      for (const HalfType type : {HalfType::kBf16, HalfType::kFp16})
        expect_cpu_result({.m = 44,
                           .k = k,
                           .rank = 32,
                           .format = form.format,
                           .layout = form.layout,
                           .type = type,
                           .step = InputStep::kLayerNormModulate});
}

TEST_F(QuantizeFuseDownGpu, EveryRank) {
  for (const auto& form : kForms)
    for (const int64_t rank : testing::kRanks)
      expect_cpu_result({.m = 129, .k = 3072, .rank = rank, .format = form.format, .layout = form.layout});
}

// Rows are independent: some of them are enough for the CPU.
TEST_F(QuantizeFuseDownGpu, FluxShapes) {
  int turn = 0;
  for (const int64_t k : {3072, 12288, 15360})
    for (const int64_t m : {256, 1000, 4096, 4608}) {
      const auto& form = kForms[turn++ % 6];
      const InputShape shape{.m = m, .k = k, .rank = 32, .format = form.format, .layout = form.layout};
      SCOPED_TRACE(to_string(shape));
      const InputProblem problem(shape);
      const InputResult actual = run_twice(problem);
      const std::vector<int64_t> rows = sample(m, 24);
      const InputResult expected = run(problem.some_rows(rows), Device::kCpu);
      const UnpackedMatrix a = testing::some_rows(unpack_matrix(actual.codes.view()), rows);
      const UnpackedMatrix e = unpack_matrix(expected.codes.view());
      EXPECT_EQ(a.codes, e.codes);
      EXPECT_EQ(a.scales, e.scales);
      expect_close_low_rank(testing::rows_of(actual.low_rank, 32, rows), expected.low_rank);
    }
}

// Zeros, the smallest and the largest numbers: where scales meet their floors and ceilings.
TEST_F(QuantizeFuseDownGpu, SmallExtremeValuesAreByteIdentical) {
  for (const auto& form : kForms)
    for (const int variant : {0, 1, 2, 3}) {
      const HalfType type = variant % 2 ? HalfType::kFp16 : HalfType::kBf16;
      InputProblem problem({.m = 9,
                            .k = 256,
                            .format = form.format,
                            .layout = form.layout,
                            .type = type,
                            .smooth = variant >= 2});
      const uint16_t largest = type == HalfType::kFp16 ? 0x7bff : variant >= 2 ? 0x787f : 0x7f7f;
      for (int64_t c = 0; c < 256; ++c) {
        const auto put = [&](int64_t r, uint32_t bits) {
          problem.x[r * 256 + c] = static_cast<uint16_t>(bits);
        };
        put(0, 0);
        put(1, 0x8000);
        put(2, 1 + c % 3);                  // subnormal
        put(3, (c % 2) << 15 | largest);    // the largest
        put(4, c % 64 == 9 ? largest : 1);  // both in one group
        put(5, c < 128 ? 0 : half_encode(type, 1.0f + static_cast<float>(c)));
        put(6, half_encode(type, static_cast<float>(c % 15) - 7.0f));         // codes themselves
        put(7, half_encode(type, (static_cast<float>(c % 29) - 14.0f) / 2));  // ties
        put(8, half_encode(type, (static_cast<float>(c % 29) - 14.0f) / 1024));
      }
      SCOPED_TRACE(to_string(problem.shape));
      expect_equal_codes(run_twice(problem).codes, run(problem, Device::kCpu).codes);
    }
}

TEST_F(QuantizeFuseDownGpu, SmallValuesThatAreNotFiniteMakeTheirScaleNaN) {
  for (const auto& form : kForms)
    for (const float bad :
         {std::nanf(""), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
      InputProblem problem({.m = 9, .k = 256, .format = form.format, .layout = form.layout});
      const InputResult good = run(problem, Device::kCuda);
      problem.x[4 * 256 + 70] = half_encode(HalfType::kBf16, bad);
      SCOPED_TRACE(to_string(problem.shape));
      const InputResult result = run(problem, Device::kCuda);
      const UnpackedMatrix got = unpack_matrix(good.codes.view());
      // Read without unpacking codes: those of the bad group may be anything.
      const PackedMatrix m = result.codes.view();
      PackedBuffer zeroed(result.codes.shape);
      zeroed.codes.assign(zeroed.codes.size(), 0);
      zeroed.scales = result.codes.scales;
      const UnpackedMatrix scales = unpack_matrix(zeroed.view());
      for (int64_t i = 0; i < m.rows * m.groups(); ++i) {
        if (i == 4 * m.groups() + 70 / m.group)
          EXPECT_TRUE(std::isnan(scales.scales[i])) << i << ": " << scales.scales[i];
        else
          EXPECT_EQ(scales.scales[i], got.scales[i]) << i;
      }
    }
}

}  // namespace
}  // namespace svdlab
