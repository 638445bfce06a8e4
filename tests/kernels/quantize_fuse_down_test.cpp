#include "kernels/quantize_fuse_down.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "kernels/gelu.h"
#include "tests/kernels/input_problem.h"
#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::activations;
using testing::decoded;
using testing::fused_spec;
using testing::InputProblem;
using testing::InputResult;
using testing::InputShape;
using testing::run;
using testing::throws_error;

// Rows the tiles of a GPU kernel end in; columns of the embedded model and of PixArt; every kind of rank.
constexpr int64_t kRows[] = {1, 7, 16, 44, 129};
constexpr int64_t kColumns[] = {64, 256, 1024, 1152, 1280};
constexpr int64_t kRanks[] = {0, 16, 32, 48, 64, 128};

// quantize_matrix on its own, for the x' of the problem.
void expect_codes_of(const std::vector<float>& x, const InputProblem& p, const PackedBuffer& actual) {
  const int64_t m = p.shape.m, k = p.shape.k;
  const QuantizeSpec spec = fused_spec(p.shape.format, k);
  std::vector<uint8_t> codes(m * k);
  std::vector<float> scales(m * (k / spec.group));
  quantize_matrix({x.data(), m, k}, p.smooth.empty() ? nullptr : p.smooth.data(), spec, {codes.data(), m, k},
                  {scales.data(), m, k / spec.group});
  const UnpackedMatrix got = unpack_matrix(actual.view());
  EXPECT_EQ(got.codes, codes);
  EXPECT_EQ(got.scales, scales);
  for (int64_t r = 0; r < m; ++r) {
    const auto first = scales.begin() + r * (k / spec.group);
    const float largest = *std::max_element(first, first + k / spec.group);
    ASSERT_EQ(actual.row_powers[r], std::exp2(std::floor(std::log2(largest))));
  }
}

// Backwards, in long double: agreement to the last bit of fp32, up to ties, says the sum is exact enough.
void expect_projection_of(const std::vector<float>& x, const InputProblem& p,
                          const std::vector<float>& actual) {
  const auto down = decoded(p.shape.type, p.down), low = decoded(p.shape.type, p.down_low);
  ASSERT_EQ(static_cast<int64_t>(actual.size()), p.shape.m * p.shape.rank);
  for (int64_t m = 0; m < p.shape.m; ++m)
    for (int64_t r = 0; r < p.shape.rank; ++r) {
      long double sum = 0;
      for (int64_t c = p.shape.k - 1; c >= 0; --c) {
        const int64_t at = r * p.shape.k + c;
        const long double factor = static_cast<long double>(down[at]) + (low.empty() ? 0.0f : low[at]);
        sum += x[m * p.shape.k + c] * factor;
      }
      const double got = actual[m * p.shape.rank + r];
      const bool ok = std::fabs(got - static_cast<double>(sum)) <= std::ldexp(std::fabs(got), -23) + 1e-12;
      ASSERT_TRUE(ok) << "low_rank(" << m << ", " << r << ") = " << got << ", not "
                      << static_cast<double>(sum);
    }
}

void expect_step_gives(const std::function<std::vector<float>(const InputProblem&)>& step,
                       const InputShape& shape) {
  SCOPED_TRACE(to_string(shape));
  const InputProblem problem(shape);
  const InputResult result = run(problem, Device::kCpu);
  const std::vector<float> x = step(problem);
  expect_codes_of(x, problem, result.codes);
  expect_projection_of(x, problem, result.low_rank);
}

std::vector<float> untouched(const InputProblem& p) { return decoded(p.shape.type, p.x); }

struct Form {
  const char* name;
  NumberFormat format;
  CodeLayout layout;
};

class QuantizeFuseDown_ : public ::testing::TestWithParam<Form> {};
INSTANTIATE_TEST_SUITE_P(QuantizeFuseDown, QuantizeFuseDown_,
                         ::testing::Values(Form{"int4_nibbles", NumberFormat::kInt4, CodeLayout::kNibbles},
                                           Form{"int4_e4m3", NumberFormat::kInt4, CodeLayout::kE4M3},
                                           Form{"uint4_nibbles", NumberFormat::kUint4, CodeLayout::kNibbles},
                                           Form{"uint4_e4m3", NumberFormat::kUint4, CodeLayout::kE4M3},
                                           Form{"nvfp4_nibbles", NumberFormat::kFp4E2M1,
                                                CodeLayout::kNibbles},
                                           Form{"int8_bytes", NumberFormat::kInt8, CodeLayout::kBytes}),
                         [](const auto& info) { return info.param.name; });

TEST_P(QuantizeFuseDown_, GivesTheCodesOfQuantizeMatrixAndTheProjection) {
  const auto [name, format, layout] = GetParam();
  int turn = 0;
  for (const int64_t m : kRows)
    for (const int64_t k : kColumns) {
      const int64_t rank = kRanks[turn++ % 6];
      const HalfType type = turn % 2 ? HalfType::kBf16 : HalfType::kFp16;
      expect_step_gives(untouched, {.m = m,
                                    .k = k,
                                    .rank = rank,
                                    .format = format,
                                    .layout = layout,
                                    .type = type,
                                    .smooth = turn % 3 != 0,
                                    .down_low = rank > 0 && turn % 4 == 0});
    }
}

// x * sigmoid(2 z) is the tanh form written another way; where tanh is -1 to the last bit, it gives -0.
std::vector<float> gelu(const InputProblem& p) {
  std::vector<float> x = untouched(p);
  for (float& v : x) {
    const long double z = std::sqrt(2 / 3.14159265358979323846L) * (v + 0.044715L * v * v * v);
    v = std::tanh(static_cast<double>(z)) == -1 ? -0.0f : static_cast<float>(v / (1 + std::exp(-2 * z)));
    v = half_round(p.shape.type, v);
  }
  return x;
}

// With the variance as E x^2 - (E x)^2.
std::vector<float> layer_norm_modulate(const InputProblem& p) {
  const HalfType type = p.shape.type;
  const int64_t k = p.shape.k;
  std::vector<float> x = untouched(p);
  for (int64_t r = 0; r < p.shape.m; ++r) {
    long double sum = 0, squares = 0;
    for (int64_t c = 0; c < k; ++c)
      sum += x[r * k + c], squares += static_cast<long double>(x[r * k + c]) * x[r * k + c];
    const long double mean = sum / k, deviation = std::sqrt(squares / k - mean * mean + 1e-6L);
    for (int64_t c = 0; c < k; ++c) {
      float& v = x[r * k + c];
      const float normal = half_round(type, static_cast<float>((v - mean) / deviation));
      const float scale = half_round(type, 1.0f + half_decode(type, p.scale[c]));
      v = half_round(type, normal * scale + half_decode(type, p.shift[c]));
    }
  }
  return x;
}

TEST_P(QuantizeFuseDown_, StepsComeFirst) {
  const auto [name, format, layout] = GetParam();
  InputShape shape{.m = 44, .k = 256, .rank = 16, .format = format, .layout = layout};
  for (const HalfType type : {HalfType::kBf16, HalfType::kFp16}) {
    shape.type = type;
    shape.step = InputStep::kGelu;
    expect_step_gives(gelu, shape);
    shape.step = InputStep::kLayerNormModulate;
    expect_step_gives(layer_norm_modulate, shape);
  }
}

TEST(Gelu, HasItsKnownValues) {
  EXPECT_EQ(gelu_tanh(0.0f), 0.0f);
  EXPECT_EQ(gelu_tanh(20.0f), 20.0f);
  EXPECT_EQ(gelu_tanh(-20.0f), -0.0f);
  EXPECT_NEAR(gelu_tanh(1.0f), 0.8411919906082768, 1e-7);
  EXPECT_GE(gelu_tanh(-0.7523f), -0.171875f);  // near its minimum: the shift makes it non-negative
}

// FLUX's proj_out: attention in the first columns, then GELU, in one operand.
TEST(QuantizeFuseDown, AnInputOfTwoProducersIsOneOperand) {
  constexpr int64_t kM = 7, kCut = 128, kCols = 320, kRank = 16;
  const InputProblem first({.m = kM, .k = kCut, .rank = kRank}, 10);
  const InputProblem second(
      {.m = kM, .k = kCols - kCut, .rank = kRank, .format = NumberFormat::kUint4, .step = InputStep::kGelu},
      20);
  const InputResult alone[] = {run(first, Device::kCpu), run(second, Device::kCpu)};

  testing::Memory memory(Device::kCpu);
  QuantizeFuseDown ops[] = {first.call(memory), second.call(memory)};
  PackedBuffer whole({.rows = kM, .cols = kCols, .group = 64, .unsigned_from = kCut});
  for (QuantizeFuseDown& op : ops) {
    const int64_t begin = &op == ops ? 0 : kCut;
    const int64_t stride = op.target.codes.scale_stride;
    op.target.codes.codes = whole.codes.data() + begin / 2;
    op.target.codes.code_stride = whole.shape.code_stride;
    op.target.codes.scales = whole.scales.data() + begin / 64 * stride * 2;
    op.target.codes.row_powers = whole.row_powers.data();
    op.target.low_rank = ops[0].target.low_rank;
  }
  ops[1].continues = true;
  for (const QuantizeFuseDown& op : ops) quantize_fuse_down(op);

  const UnpackedMatrix got = unpack_matrix(whole.view());
  for (int part = 0; part < 2; ++part) {
    const UnpackedMatrix own = unpack_matrix(alone[part].codes.view());
    const CodedMatrix here = part == 0 ? got.columns(0, kCut) : got.columns(kCut, kCols);
    EXPECT_EQ(here.format, part == 0 ? NumberFormat::kInt4 : NumberFormat::kUint4);
    for (int64_t r = 0; r < kM; ++r) {
      for (int64_t c = 0; c < own.cols; ++c) ASSERT_EQ(here.codes(r, c), own.codes[r * own.cols + c]);
      for (int64_t g = 0; g < own.cols / 64; ++g)
        ASSERT_EQ(here.scales(r, g), own.scales[r * own.cols / 64 + g]);
    }
  }
  for (int64_t r = 0; r < kM; ++r) {
    EXPECT_EQ(whole.row_powers[r], std::max(alone[0].codes.row_powers[r], alone[1].codes.row_powers[r]));
    for (int64_t i = 0; i < kRank; ++i)
      EXPECT_EQ(ops[0].target.low_rank(r, i),
                alone[0].low_rank[r * kRank + i] + alone[1].low_rank[r * kRank + i]);
  }
}

TEST(QuantizeFuseDownRefusals, ValuesThatAreNotFinite) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    InputProblem problem({.m = 3, .k = 128});
    problem.x[128 + 70] = half_encode(HalfType::kBf16, bad);
    EXPECT_TRUE(throws_error([&] { run(problem, Device::kCpu); }, Errc::kInput, {"x(1, 70)"}));
  }
}

// A call that is right but for one thing.
::testing::AssertionResult refuses(const std::function<void(QuantizeFuseDown&)>& change, Errc code,
                                   const std::vector<std::string>& parts,
                                   const InputShape& shape = {.m = 4, .k = 128, .rank = 16}) {
  testing::Memory memory(Device::kCpu);
  QuantizeFuseDown op = InputProblem(shape).call(memory);
  change(op);
  return throws_error([&] { quantize_fuse_down(op); }, code, parts);
}

TEST(QuantizeFuseDownRefusals, Shapes) {
  using Op = QuantizeFuseDown;
  EXPECT_TRUE(refuses([](Op& op) { op.x.bits.rows = 0; }, Errc::kInput, {"0 rows"}));
  EXPECT_TRUE(refuses([](Op& op) { op.x.bits.cols = 96; }, Errc::kConfig, {"96 input columns"}));
  EXPECT_TRUE(refuses([](Op& op) { op.x.bits.row_stride = 132; }, Errc::kInput, {"x has row stride 132"}));
  EXPECT_TRUE(refuses([](Op& op) { ++op.x.bits.data; }, Errc::kInput, {"x lies 2 bytes"}));
  EXPECT_TRUE(refuses(
      [](Op& op) {
        op.target.down.bits.rows = 24;
        op.target.low_rank.cols = 24;
      },
      Errc::kConfig, {"rank 24", "to 32"}));
  EXPECT_TRUE(refuses([](Op& op) { op.target.down.bits.rows = 144; }, Errc::kConfig, {"rank 144"}));
  EXPECT_TRUE(
      refuses([](Op& op) { op.target.low_rank.cols = 32; }, Errc::kInput, {"low_rank has 32", "16 rows"}));
  EXPECT_TRUE(refuses([](Op& op) { op.target.down.bits.cols = 64; }, Errc::kInput, {"down is [16, 64]"}));
  EXPECT_TRUE(
      refuses([](Op& op) { op.target.down.type = HalfType::kFp16; }, Errc::kInput, {"down is fp16", "bf16"}));
  EXPECT_TRUE(refuses([](Op& op) { op.target.codes.rows = 5; }, Errc::kInput, {"[5, 128]", "[4, 128]"}));
  EXPECT_TRUE(refuses([](Op& op) { op.target.codes.unsigned_from = 0; }, Errc::kInput, {"unsigned from 0"}));
}

TEST(QuantizeFuseDownRefusals, Formats) {
  using Op = QuantizeFuseDown;
  EXPECT_TRUE(refuses([](Op& op) { op.target.spec.group = 32; }, Errc::kConfig, {"groups of 32"}));
  EXPECT_TRUE(refuses([](Op& op) { op.target.spec.format = NumberFormat::kNf4; }, Errc::kConfig, {"nf4"}));
  EXPECT_TRUE(refuses([](Op& op) { op.target.spec.two_level = true; }, Errc::kConfig, {"one level"}));
  EXPECT_TRUE(refuses([](Op& op) { op.target.spec.shift = 0.5f; }, Errc::kConfig, {"shift 0.5"}));
  EXPECT_TRUE(refuses([](Op& op) { op.target.codes.layout = CodeLayout::kFragments64; }, Errc::kConfig,
                      {"fragments64"}));
  EXPECT_TRUE(refuses([](Op& op) { op.step = InputStep::kLayerNormModulate, op.modulation.shift = nullptr; },
                      Errc::kInput, {"modulation shift is missing"}));
  EXPECT_TRUE(refuses([](Op& op) { op.step = InputStep::kLayerNormModulate, op.modulation.epsilon = 0; },
                      Errc::kConfig, {"epsilon 0"}));
}

}  // namespace
}  // namespace svdlab
