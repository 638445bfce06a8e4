// gemm_quantized on a GPU against fp64 on the same operands, every main loop that the device has.
#include "kernels/gemm_quantized.h"

#include <algorithm>

#include "tests/kernels/cuda/on_gpu.h"
#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::all;
using testing::decoded;
using testing::InputProblem;
using testing::LinearCall;
using testing::LinearProblem;
using testing::LinearResult;
using testing::LinearShape;
using testing::Memory;
using testing::Pair;
using testing::part_of;
using testing::run;
using testing::sample;
using testing::throws_error;

struct Form {
  const char* name;
  MainLoop loop;
  Pair pair;
  int64_t unsigned_from;
};

class GemmQuantizedGpu : public ::testing::TestWithParam<Form> {
 protected:
  void SetUp() override {
    const std::string problem = cuda_device_problem();
    if (!problem.empty()) GTEST_SKIP() << "no CUDA device: " << problem;
    const auto reason =
        why_declined(GetParam().loop, problem_of({.m = 16, .n = 64, .k = 128}), cuda_architecture());
    if (reason) GTEST_SKIP() << to_string(GetParam().loop) << ": " << *reason;
  }

  // The shape with this form's loop and operands.
  static LinearShape shaped(LinearShape shape) {
    shape.loop = GetParam().loop;
    shape.pair = GetParam().pair;
    shape.unsigned_from = GetParam().unsigned_from;
    return shape;
  }
  static LoopProblem problem_of(const LinearShape& shape) {
    Memory memory(Device::kCpu);
    return loop_problem(LinearCall(LinearProblem(shaped(shape)), memory).op);
  }
};

INSTANTIATE_TEST_SUITE_P(Loops, GemmQuantizedGpu,
                         ::testing::Values(Form{"exact", MainLoop::kExact, Pair::kW4A4, -1},
                                           Form{"exact_unsigned", MainLoop::kExact, Pair::kW4A4, 0},
                                           Form{"exact_mixed", MainLoop::kExact, Pair::kW4A4, 64},
                                           Form{"w4a8", MainLoop::kInt8, Pair::kW4A8, -1},
                                           Form{"w8a8", MainLoop::kInt8, Pair::kW8A8, -1},
                                           Form{"mma_s4", MainLoop::kMmaS4, Pair::kW4A4, -1},
                                           Form{"mma_s4_unsigned", MainLoop::kMmaS4, Pair::kW4A4, 0},
                                           Form{"mma_s4_mixed", MainLoop::kMmaS4, Pair::kW4A4, 64},
                                           Form{"nvfp4", MainLoop::kNvfp4, Pair::kNvfp4, -1},
                                           Form{"nvfp4_block", MainLoop::kNvfp4Block, Pair::kNvfp4, -1}),
                         [](const auto& info) { return info.param.name; });

LinearResult run_twice(const LinearProblem& problem) {
  LinearResult first = run(problem, Device::kCuda, 0xff);
  EXPECT_EQ(run(problem, Device::kCuda, 0x5a).out, first.out) << "two runs differ";
  return first;
}

// The output at rows x columns against fp64.
void expect_oracle(const LinearProblem& problem, const LinearResult& result, const std::vector<int64_t>& rows,
                   const std::vector<int64_t>& columns) {
  const LinearProblem part = problem.part(rows, columns);
  const auto actual = decoded(problem.shape.out, part_of(result.out, problem.shape.n, rows, columns));
  testing::expect_sqnr(problem.shape.out, actual, part.oracle(), testing::least_db(problem.shape.out),
                       concat(rows.size(), " rows, ", columns.size(), " columns"));
}

void expect_oracle(const LinearShape& shape) {
  SCOPED_TRACE(to_string(shape));
  const LinearProblem problem(shape);
  const LinearResult result = run_twice(problem);
  if (shape.m * shape.n * shape.k < 40000000)
    return expect_oracle(problem, result, all(shape.m), all(shape.n));
  expect_oracle(problem, result, sample(shape.m, 7), all(shape.n));
  expect_oracle(problem, result, all(shape.m), sample(shape.n, 11));
}

TEST_P(GemmQuantizedGpu, SmallProblems) {
  constexpr int64_t kSizes[][2] = {{8, 64},     {64, 256},   {256, 256}, {768, 256},
                                   {1024, 256}, {256, 1280}, {200, 192}};
  int turn = 0;
  for (const int64_t m : testing::kSmallRows)
    for (const auto& [n, k] : kSizes) {
      const HalfType out = turn % 2 ? HalfType::kFp16 : HalfType::kBf16;
      expect_oracle(shaped({.m = m, .n = n, .k = k, .rank = testing::kRanks[turn++ % 6], .out = out}));
    }
}

TEST_P(GemmQuantizedGpu, EveryRank) {
  for (const int64_t rank : testing::kRanks)
    for (const HalfType out : {HalfType::kBf16, HalfType::kFp16})
      expect_oracle(shaped({.m = 129, .n = 1152, .k = 1152, .rank = rank, .out = out, .up = out}));
}

TEST_P(GemmQuantizedGpu, PixArtShapes) {
  for (const auto& [n, k] : {std::pair<int64_t, int64_t>{1152, 1152}, {4608, 1152}, {1152, 4608}})
    for (const int64_t m : {1000, 4096}) expect_oracle(shaped({.m = m, .n = n, .k = k, .rank = 64}));
}

TEST_P(GemmQuantizedGpu, Flux3072x3072) {
  for (const int64_t m : {1, 256, 1000, 4096, 4608})
    expect_oracle(shaped({.m = m, .n = 3072, .k = 3072, .rank = 32}));
}
TEST_P(GemmQuantizedGpu, Flux9216x3072) {
  expect_oracle(shaped({.m = 4608, .n = 9216, .k = 3072, .rank = 32}));
}
TEST_P(GemmQuantizedGpu, Flux12288x3072) {
  expect_oracle(shaped({.m = 4608, .n = 12288, .k = 3072, .rank = 32}));
}
TEST_P(GemmQuantizedGpu, Flux3072x12288) {
  expect_oracle(shaped({.m = 4608, .n = 3072, .k = 12288, .rank = 32}));
}
TEST_P(GemmQuantizedGpu, Flux3072x15360) {
  expect_oracle(shaped({.m = 4608, .n = 3072, .k = 15360, .rank = 32}));
}

// One group, scales 1: the output is the integer sum itself (in quarters for e2m1).
TEST_P(GemmQuantizedGpu, SmallGroupSumsAreExact) {
  for (const bool largest : {false, true}) {
    LinearProblem problem(
        shaped({.m = 129, .n = 264, .k = 64, .out = HalfType::kFp16, .largest_codes = largest}));
    std::fill(problem.a.scales.begin(), problem.a.scales.end(), 1.0f);
    std::fill(problem.w.scales.begin(), problem.w.scales.end(), 1.0f);
    std::fill(problem.bias.begin(), problem.bias.end(), 0.0f);
    problem.a.tensor_scale = problem.w.tensor_scale = 1.0f;
    // 11 bits are all that fp16 holds: int8 sums are cut down to codes of 4 bits.
    for (UnpackedMatrix* m : {&problem.a, &problem.w})
      for (uint8_t& code : m->codes)
        if (m->format == NumberFormat::kInt8) code = static_cast<uint8_t>(static_cast<int8_t>(code) / 18);
    for (float& v : problem.channel_scale) v = 1.0f;
    const std::vector<double> exact = problem.oracle();
    const std::vector<float> actual = decoded(HalfType::kFp16, run_twice(problem).out);
    for (size_t i = 0; i < exact.size(); ++i)
      ASSERT_EQ(actual[i], half_round(HalfType::kFp16, static_cast<float>(exact[i]))) << i;
  }
}

TEST_P(GemmQuantizedGpu, SmallLargestCodesDoNotOverflow) {
  for (const int64_t k : {64, 1152, 15360})
    expect_oracle(
        shaped({.m = 16, .n = 128, .k = k, .rank = 16, .out = HalfType::kBf16, .largest_codes = true}));
}

// Codes are zero: what is left is the branch.
TEST_P(GemmQuantizedGpu, SmallLowRankPartAlone) {
  for (const int64_t rank : {16, 32, 128}) {
    LinearProblem problem(shaped({.m = 129, .n = 256, .k = 256, .rank = rank}));
    std::fill(problem.a.codes.begin(), problem.a.codes.end(), 0);
    std::fill(problem.bias.begin(), problem.bias.end(), 0.0f);
    SCOPED_TRACE(to_string(problem.shape));
    expect_oracle(problem, run_twice(problem), all(129), all(256));
  }
}

TEST_P(GemmQuantizedGpu, SmallGeluAndRequantize) {
  for (const NumberFormat format : {NumberFormat::kUint4, NumberFormat::kFp4E2M1, NumberFormat::kInt8}) {
    LinearShape shape = shaped({.m = 129, .n = 1024, .k = 256, .rank = 32});
    shape.epilogue = EpilogueKind::kGeluRequantize;
    shape.next_format = format;
    shape.next_layout = format == NumberFormat::kInt8    ? CodeLayout::kBytes
                        : format == NumberFormat::kUint4 ? CodeLayout::kE4M3
                                                         : CodeLayout::kNibbles;
    SCOPED_TRACE(to_string(shape));
    const LinearProblem problem(shape);
    const LinearResult actual = run_twice(problem), expected = run(problem, Device::kCpu);
    // The epilogue on its own: the codes of what the GPU itself put out.
    InputProblem own = *problem.next;
    own.x = actual.out;
    own.shape.step = InputStep::kGelu;
    testing::expect_nearly_equal_codes(unpack_matrix(actual.next->codes.view()),
                                       unpack_matrix(run(own, Device::kCpu).codes.view()));
    // Both together. fp16 promotion leaves the product at about 70 dB, so that rounding to bf16 goes the
    // other way for about a tenth of the outputs, and with them a few codes in 1000.
    const testing::AllowedFlips flips = GetParam().loop == MainLoop::kExact
                                            ? testing::AllowedFlips{.codes = 0.004, .scales = 0.08}
                                            : testing::AllowedFlips{};
    testing::expect_nearly_equal_codes(unpack_matrix(actual.next->codes.view()),
                                       unpack_matrix(expected.next->codes.view()), flips);
    testing::expect_close_low_rank(actual.next->low_rank, expected.next->low_rank);
  }
}

TEST_P(GemmQuantizedGpu, SmallNormAndRope) {
  for (const int64_t head_dim : {64, 128}) {
    LinearShape shape = shaped({.m = 129, .n = 3 * 4 * head_dim, .k = 256, .rank = 32});
    shape.epilogue = EpilogueKind::kNormRope;
    shape.head_dim = head_dim;
    SCOPED_TRACE(to_string(shape));
    const LinearProblem problem(shape);
    const auto actual = decoded(shape.out, run_twice(problem).out);
    const auto expected = decoded(shape.out, run(problem, Device::kCpu).out);
    // Both sides have rounded three times.
    const double db = testing::sqnr_db(actual, std::vector<double>(expected.begin(), expected.end()));
    EXPECT_TRUE(db >= 50.0) << db << " dB";
  }
}

TEST_P(GemmQuantizedGpu, SmallOutputsWithAStrideLeaveTheRestAlone) {
  const LinearProblem problem(shaped({.m = 44, .n = 72, .k = 128, .rank = 16}));
  Memory memory(Device::kCuda, 0x5a);
  LinearCall call(problem, memory);
  uint16_t* wide = memory.poisoned<uint16_t>(44 * 96);
  call.op.out.bits = {wide, 44, 72, 96};
  const Stream stream = memory.stream(gemm_quantized_workspace(call.op, Device::kCuda));
  gemm_quantized(call.op, stream);
  memory.wait(stream);
  const std::vector<uint16_t> got = memory.get<uint16_t>(wide, 44 * 96),
                              expected = run(problem, Device::kCuda).out;
  for (int64_t m = 0; m < 44; ++m)
    for (int64_t n = 0; n < 96; ++n) ASSERT_EQ(got[m * 96 + n], n < 72 ? expected[m * 72 + n] : 0x5a5a);
}

class GemmQuantizedGpuRefusals : public testing::OnGpu {};

TEST_F(GemmQuantizedGpuRefusals, SmallLoopsThatCannotServe) {
  Memory memory(Device::kCuda);
  LinearCall call(LinearProblem({.m = 4, .n = 16, .k = 128, .rank = 16}), memory);
  const Stream stream = memory.stream(1 << 20);
  const auto refuses = [&](const std::vector<std::string>& parts, Errc code = Errc::kConfig) {
    return throws_error([&] { gemm_quantized(call.op, stream); }, code, parts);
  };
  call.op.main_loop = MainLoop::kNvfp4;
  EXPECT_TRUE(refuses({"nvfp4", "activations are int4"}));
  call.op.main_loop = MainLoop::kMmaS4;
  EXPECT_TRUE(refuses({"mma_s4 reads activations in nibbles", "in e4m3"}));
  if (cuda_architecture() != 90) return;
  call.op.main_loop = MainLoop::kExact;
  call.op.a.row_powers = nullptr;
  EXPECT_TRUE(refuses({"row_powers"}, Errc::kInput));
}

}  // namespace
}  // namespace svdlab
