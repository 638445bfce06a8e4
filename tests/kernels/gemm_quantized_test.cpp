#include "kernels/gemm_quantized.h"

#include <gtest/gtest.h>

#include <functional>

#include "kernels/gemm_codes.h"
#include "tests/kernels/linear_problem.h"
#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::decoded;
using testing::InputProblem;
using testing::InputResult;
using testing::LinearCall;
using testing::LinearProblem;
using testing::LinearResult;
using testing::LinearShape;
using testing::Memory;
using testing::Pair;
using testing::run;
using testing::throws_error;

// Rounding of the output type, then fp32 sums: K / 64 groups and the rank, each within an ulp of the largest
// term.
void expect_oracle(const LinearProblem& p, const LinearResult& result) {
  SCOPED_TRACE(to_string(p.shape));
  const std::vector<double> exact = p.oracle();
  const std::vector<float> actual = decoded(p.shape.out, result.out);
  ASSERT_EQ(actual.size(), exact.size());
  double largest = 0;
  for (const double y : exact) largest = std::max(largest, std::fabs(y));
  const double half_ulp = p.shape.out == HalfType::kBf16 ? 0x1p-8 : 0x1p-11;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double allowed = half_ulp * std::fabs(exact[i]) + 0x1p-19 * largest;
    const bool ok = std::fabs(actual[i] - exact[i]) <= allowed;
    ASSERT_TRUE(ok) << "out[" << i << "] = " << actual[i] << ", not " << exact[i] << " within " << allowed;
  }
  if (exact.size() < 1000) return;  // few values may all lie far from the 16-bit grid
  const double db = testing::sqnr_db(actual, exact);
  EXPECT_TRUE(db >= (p.shape.out == HalfType::kBf16 ? 54.0 : 60.0)) << db << " dB";
}

TEST(GemmQuantized, EqualsFp64OnTheDequantizedOperands) {
  // N and K of the embedded model and of PixArt, ends of tiles, every kind of rank.
  constexpr int64_t kRows[] = {1, 7, 16, 44, 129}, kRanks[] = {0, 16, 32, 48, 64, 128};
  constexpr int64_t kSizes[][2] = {{256, 256}, {1024, 256}, {256, 1280}, {8, 1024}, {1152, 1152}, {72, 64}};
  constexpr struct {
    Pair pair;
    MainLoop loop;
  } kForms[] = {{Pair::kW4A4, MainLoop::kExact},
                {Pair::kW4A4, MainLoop::kMmaS4},
                {Pair::kNvfp4, MainLoop::kNvfp4},
                {Pair::kW4A8, MainLoop::kInt8},
                {Pair::kW8A8, MainLoop::kInt8}};
  int turn = 0;
  for (const auto& form : kForms)
    for (const auto& [n, k] : kSizes) {
      const int64_t m = k * n > 1000000 ? 7 : kRows[turn % 5];
      const LinearProblem problem({.m = m,
                                   .n = n,
                                   .k = k,
                                   .rank = kRanks[turn % 6],
                                   .pair = form.pair,
                                   .loop = form.loop,
                                   .unsigned_from = form.pair != Pair::kW4A4 ? -1
                                                    : turn % 3 == 0          ? 0
                                                                             : 64,
                                   .out = turn % 2 ? HalfType::kFp16 : HalfType::kBf16,
                                   .up = turn % 5 ? HalfType::kBf16 : HalfType::kFp16});
      expect_oracle(problem, run(problem, Device::kCpu));
      ++turn;
    }
}

TEST(GemmQuantized, LargestCodesDoNotOverflow) {
  for (const Pair pair : {Pair::kW4A4, Pair::kNvfp4, Pair::kW4A8, Pair::kW8A8}) {
    const LinearProblem problem({.m = 3,
                                 .n = 16,
                                 .k = 1152,
                                 .rank = 16,
                                 .pair = pair,
                                 .loop = pair == Pair::kW4A4    ? MainLoop::kExact
                                         : pair == Pair::kNvfp4 ? MainLoop::kNvfp4
                                                                : MainLoop::kInt8,
                                 .largest_codes = true});
    expect_oracle(problem, run(problem, Device::kCpu));
  }
}

// Integers and powers of two: every step is exact, so the result is, to the bit.
TEST(GemmQuantized, SmallIntegersAreExact) {
  LinearProblem problem(
      {.m = 17, .n = 72, .k = 192, .rank = 16, .unsigned_from = 128, .out = HalfType::kFp16});
  for (uint8_t& code : problem.a.codes) code = code % 3;
  for (uint8_t& code : problem.w.codes) code = code % 2 ? 0xf : 0x1;  // -1, 1
  for (float& scale : problem.a.scales) scale = 0.5f;
  for (float& scale : problem.w.scales) scale = 2.0f;
  for (float& v : problem.channel_scale) v = 2.0f;
  for (float& v : problem.bias) v = std::round(4 * v);
  for (float& v : problem.low_rank) v = std::round(v);
  for (uint16_t& v : problem.up)
    v = half_encode(HalfType::kBf16, std::round(2 * half_decode(HalfType::kBf16, v)));
  const std::vector<double> exact = problem.oracle();
  const std::vector<float> actual = decoded(HalfType::kFp16, run(problem, Device::kCpu).out);
  for (size_t i = 0; i < exact.size(); ++i) ASSERT_EQ(actual[i], exact[i]) << i;
}

TEST(GemmQuantized, OptionalOperandsDefaultToNothing) {
  const LinearProblem problem({.m = 7, .n = 16, .k = 128, .rank = 0});
  LinearProblem plain = problem;
  std::fill(plain.bias.begin(), plain.bias.end(), 0.0f);
  std::fill(plain.channel_scale.begin(), plain.channel_scale.end(), 1.0f);
  Memory memory(Device::kCpu);
  LinearCall call(problem, memory);
  call.op.bias = nullptr;
  call.op.channel_scale = nullptr;
  gemm_quantized(call.op);
  EXPECT_EQ(memory.get<uint16_t>(call.op.out.bits.data, 7 * 16), run(plain, Device::kCpu).out);
}

TEST(GemmQuantized, TheProductIsThatOfGemmCodesToTheBit) {
  LinearProblem problem({.m = 44, .n = 72, .k = 320, .out = HalfType::kFp16});
  std::fill(problem.bias.begin(), problem.bias.end(), 0.0f);
  std::fill(problem.channel_scale.begin(), problem.channel_scale.end(), 1.0f);
  std::vector<float> y(44 * 72);
  gemm_codes(problem.a.columns(0, 320), problem.w.columns(0, 320), {y.data(), 44, 72});
  for (float& v : y) v = half_round(HalfType::kFp16, v);
  EXPECT_EQ(decoded(HalfType::kFp16, run(problem, Device::kCpu).out), y);
}

// The layouts hold the same numbers, so the CPU gives the same bits for each.
TEST(GemmQuantized, LayoutsDoNotMatter) {
  LinearShape shape{.m = 44, .n = 72, .k = 256, .rank = 32, .unsigned_from = 128};
  const LinearResult exact = run(LinearProblem(shape), Device::kCpu);
  shape.loop = MainLoop::kMmaS4;
  EXPECT_EQ(run(LinearProblem(shape), Device::kCpu).out, exact.out);
}

TEST(GemmQuantized, GeluAndRequantizeIsTheTwoOpsOneAfterTheOther) {
  for (const NumberFormat format : {NumberFormat::kUint4, NumberFormat::kFp4E2M1, NumberFormat::kInt8}) {
    LinearShape shape{.m = 44, .n = 256, .k = 256, .rank = 32, .next_format = format};
    shape.next_layout = format == NumberFormat::kInt8 ? CodeLayout::kBytes : CodeLayout::kNibbles;
    const LinearResult plain = run(LinearProblem(shape), Device::kCpu);
    shape.epilogue = EpilogueKind::kGeluRequantize;
    const LinearProblem problem(shape);
    const LinearResult fused = run(problem, Device::kCpu);
    EXPECT_EQ(fused.out, plain.out);

    InputProblem after = *problem.next;
    after.x = plain.out;
    after.shape.step = InputStep::kGelu;
    const InputResult expected = run(after, Device::kCpu);
    EXPECT_EQ(fused.next->codes.codes, expected.codes.codes);
    EXPECT_EQ(fused.next->codes.scales, expected.codes.scales);
    EXPECT_EQ(fused.next->codes.row_powers, expected.codes.row_powers);
    EXPECT_EQ(fused.next->low_rank, expected.low_rank);

    Memory memory(Device::kCpu);
    LinearCall call(problem, memory);
    call.op.out.bits.data = nullptr;
    gemm_quantized(call.op);
    EXPECT_EQ(fetched(memory, call.next).codes.codes, expected.codes.codes);
  }
}

// RMSNorm leaves heads of unit mean square (times the weight), and the turn keeps the length of each pair.
TEST(GemmQuantized, NormAndRopeFollowTheDefinition) {
  for (const int64_t head_dim : {16, 64, 128}) {
    LinearShape shape{.m = 16, .n = 3 * 2 * head_dim, .k = 128, .rank = 16, .out = HalfType::kFp16};
    shape.head_dim = head_dim;
    const std::vector<float> y = decoded(shape.out, run(LinearProblem(shape), Device::kCpu).out);
    shape.epilogue = EpilogueKind::kNormRope;
    const LinearProblem problem(shape);
    const std::vector<float> got = decoded(shape.out, run(problem, Device::kCpu).out);
    for (int64_t m = 0; m < shape.m; ++m)
      for (int64_t head = 0; head < 6; ++head) {
        const float* in = &y[m * shape.n + head * head_dim];
        const float* out = &got[m * shape.n + head * head_dim];
        const std::vector<float>& weight = head < 2 ? problem.query_weight : problem.key_weight;
        long double squares = 0;
        for (int64_t c = 0; c < head_dim; ++c) squares += static_cast<long double>(in[c]) * in[c];
        const long double scale = 1 / std::sqrt(squares / head_dim + testing::kNormEpsilon);
        for (int64_t c = 0; c < head_dim; c += 2) {
          if (head >= 4) {
            ASSERT_EQ(out[c], in[c]);
            ASSERT_EQ(out[c + 1], in[c + 1]);
            continue;
          }
          const long double x0 = in[c] * scale * weight[c], x1 = in[c + 1] * scale * weight[c + 1];
          const long double cosine = problem.table[m * head_dim + c],
                            sine = problem.table[m * head_dim + c + 1];
          const long double length = std::sqrt(x0 * x0 + x1 * x1);
          ASSERT_TRUE(std::fabs(out[c] - (x0 * cosine - x1 * sine)) <= 0.002L * length);
          ASSERT_TRUE(std::fabs(out[c + 1] - (x0 * sine + x1 * cosine)) <= 0.002L * length);
        }
      }
  }
}

TEST(GemmQuantized, ProblemsSayWhatALoopIsChosenBy) {
  Memory memory(Device::kCpu);
  const LinearProblem problem({.m = 7,
                               .n = 384,
                               .k = 128,
                               .rank = 48,
                               .unsigned_from = 64,
                               .epilogue = EpilogueKind::kNormRope,
                               .head_dim = 128});
  const LinearCall call(problem, memory);
  const LoopProblem p = loop_problem(call.op);
  EXPECT_EQ(p.m, 7);
  EXPECT_EQ(p.n, 384);
  EXPECT_EQ(p.k, 128);
  EXPECT_EQ(p.rank, 48);
  EXPECT_TRUE(p.a_has_unsigned);
  EXPECT_EQ(p.epilogue, EpilogueKind::kNormRope);
  EXPECT_EQ(p.head_dim, 128);
  EXPECT_EQ(choose_main_loop(p, 90).chosen, MainLoop::kExact);
}

// A call that is right but for one thing.
::testing::AssertionResult refuses(const std::function<void(LinearCall&)>& change, Errc code,
                                   const std::vector<std::string>& parts,
                                   const LinearShape& shape = {.m = 4, .n = 16, .k = 128, .rank = 16}) {
  Memory memory(Device::kCpu);
  LinearCall call(LinearProblem(shape), memory);
  change(call);
  return throws_error([&] { gemm_quantized(call.op); }, code, parts);
}

TEST(GemmQuantizedRefusals, Shapes) {
  using Call = LinearCall;
  EXPECT_TRUE(refuses([](Call& c) { c.op.w.cols = 64; }, Errc::kInput, {"128 columns", "have 64"}));
  EXPECT_TRUE(refuses([](Call& c) { c.op.w.rows = 12; }, Errc::kConfig, {"12 output columns"}));
  EXPECT_TRUE(refuses([](Call& c) { c.op.up.bits.cols = 8; }, Errc::kConfig, {"rank 8"}));
  EXPECT_TRUE(
      refuses([](Call& c) { c.op.low_rank.cols = 32; }, Errc::kInput, {"low_rank has 32", "up has 16"}));
  EXPECT_TRUE(refuses([](Call& c) { c.op.low_rank.row_stride = 18; }, Errc::kInput, {"row stride 18"}));
  EXPECT_TRUE(refuses([](Call& c) { c.op.out.bits.rows = 5; }, Errc::kInput, {"out is [5, 16]", "[4, 16]"}));
  EXPECT_TRUE(
      refuses([](Call& c) { c.op.out.bits.row_stride = 20; }, Errc::kInput, {"out has row stride 20"}));
  EXPECT_TRUE(refuses([](Call& c) { c.op.out.bits.data = nullptr; }, Errc::kInput, {"out is missing"}));
  EXPECT_TRUE(refuses([](Call& c) { ++c.op.bias; }, Errc::kInput, {"bias lies 4 bytes"}));
  EXPECT_TRUE(refuses([](Call& c) { c.op.a.code_stride = 32; }, Errc::kInput, {"activations", "stride 32"}));
}

TEST(GemmQuantizedRefusals, PairsAndEpilogues) {
  using Call = LinearCall;
  EXPECT_TRUE(refuses([](Call& c) { c.op.w.format = NumberFormat::kNf4; }, Errc::kConfig, {"weights nf4"}));
  EXPECT_TRUE(
      refuses([](Call& c) { c.op.a.group = 32; }, Errc::kConfig, {"activations int4", "groups of 32"}));
  EXPECT_TRUE(refuses([](Call& c) { c.op.a.scale = ScaleFormat::kE4M3; }, Errc::kConfig, {"e4m3 scales"}));
  EXPECT_TRUE(refuses(
      [](Call& c) {
        c.op.next = &c.next;
        c.op.norm_rope = &c.norm_rope;
      },
      Errc::kConfig, {"one epilogue"}));
  const LinearShape heads{
      .m = 4, .n = 192, .k = 128, .rank = 16, .epilogue = EpilogueKind::kNormRope, .head_dim = 64};
  EXPECT_TRUE(refuses([](Call& c) { c.norm_rope.heads = 2; }, Errc::kInput, {"192 output columns", "2 heads"},
                      heads));
  EXPECT_TRUE(refuses([](Call& c) { c.norm_rope.head_dim = 24; }, Errc::kConfig, {"24 channels"}, heads));
  EXPECT_TRUE(
      refuses([](Call& c) { c.norm_rope.table.rows = 3; }, Errc::kInput, {"rope table is [3, 64]"}, heads));
  const LinearShape requantized{
      .m = 4, .n = 128, .k = 128, .rank = 16, .epilogue = EpilogueKind::kGeluRequantize};
  EXPECT_TRUE(
      refuses([](Call& c) { c.next.spec.group = 16; }, Errc::kConfig, {"next", "groups of 16"}, requantized));
}

}  // namespace
}  // namespace svdlab
