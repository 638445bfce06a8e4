#include "kernels/quantize_matrix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <limits>

#include "core/base/error.h"
#include "core/formats/bf16.h"
#include "tests/kernels/coded_problem.h"
#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::all_specs;
using testing::Coded;
using testing::Matrix;
using testing::NamedSpec;
using testing::normal_matrix;
using testing::quantized;
using testing::throws_error;

constexpr int64_t kRows = 37, kCols = 192;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

class QuantizeMatrix : public ::testing::TestWithParam<NamedSpec> {
 protected:
  QuantizeSpec spec() const { return GetParam().spec; }
  bool is_unsigned() const { return spec().format == NumberFormat::kUint4; }
  // Values the format is meant for: unsigned codes get non-negative ones.
  Matrix values(const std::string& name) const {
    Matrix x = normal_matrix(kRows, kCols, name);
    if (is_unsigned())
      for (float& v : x.data) v = std::fabs(v);
    return x;
  }
  // Codes a quantizer may produce; -8 and -128 are not among them.
  std::vector<uint8_t> legal_codes() const {
    std::vector<uint8_t> codes;
    const int count = spec().format == NumberFormat::kInt8 ? 256 : 16;
    const int unused = spec().format == NumberFormat::kInt8   ? 0x80
                       : spec().format == NumberFormat::kInt4 ? 8
                                                              : -1;
    for (int c = 0; c < count; ++c)
      if (c != unused) codes.push_back(static_cast<uint8_t>(c));
    return codes;
  }
};
INSTANTIATE_TEST_SUITE_P(Formats, QuantizeMatrix, ::testing::ValuesIn(all_specs(kCols)),
                         [](const auto& info) { return info.param.name; });

TEST_P(QuantizeMatrix, PicksTheNearestCodeOfAllCodes) {
  Matrix x = values("nearest");
  Coded q = quantized(x, spec());
  Matrix got = q.decoded();
  Matrix every(1, 1);
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t c = 0; c < kCols; ++c) {
      const float step = q.step(r, c);
      float least = kInf;
      for (uint8_t code : legal_codes()) {
        dequantize_matrix({spec().format, 1, {&code, 1, 1}, {&step, 1, 1}, 1.0f}, nullptr, every.view());
        least = std::min(least, std::fabs(x(r, c) - every(0, 0)));
      }
      ASSERT_TRUE(std::fabs(x(r, c) - got(r, c)) <= least + 1e-6f * step)
          << r << ", " << c << ": " << x(r, c);
    }
}

TEST_P(QuantizeMatrix, ErrorIsAtMostHalfAGapOrTheClippedPart) {
  const float half_gap = spec().format == NumberFormat::kFp4E2M1 ? 1.0f
                         : spec().format == NumberFormat::kNf4   ? 0.1520f
                                                                 : 0.5f;
  Matrix x = values("half-step");
  Coded q = quantized(x, spec());
  Matrix got = q.decoded();
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t c = 0; c < kCols; ++c) {
      const float step = q.step(r, c);
      const float clipped = std::fabs(x(r, c)) - largest_code_value(spec().format) * step;
      const float bound = std::max(half_gap * step, clipped) * (1 + 1e-6f);
      ASSERT_TRUE(std::fabs(x(r, c) - got(r, c)) <= bound) << r << ", " << c << ": " << x(r, c);
    }
}

TEST_P(QuantizeMatrix, LargestValueOfAGroupSetsTheScale) {
  Matrix x(1, kCols);
  x(0, 3) = 5.25f;
  Coded q = quantized(x, spec());
  const float ideal = 5.25f / largest_code_value(spec().format);
  const float expected = spec().scale == ScaleFormat::kE8M0   ? 1.0f  // floor(log2 5.25) - 2
                         : spec().scale == ScaleFormat::kBf16 ? bf16_round(ideal)
                         : spec().scale == ScaleFormat::kFp32 || spec().two_level
                             ? ideal
                             : 0.875f;  // e4m3 of 5.25 / 6
  EXPECT_NEAR(q.step(0, 3), expected, 1e-7);
}

TEST_P(QuantizeMatrix, QuantizingTheDecodedMatrixGivesTheSameCodes) {
  Matrix x = values("idempotent");
  Coded first = quantized(x, spec());
  Matrix decoded = first.decoded();
  Coded second = quantized(decoded, spec());
  EXPECT_EQ(first.codes, second.codes);
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t c = 0; c < kCols; ++c)
      ASSERT_TRUE(std::fabs(first.step(r, c) / second.step(r, c) - 1) <= 2 * FLT_EPSILON);
}

TEST_P(QuantizeMatrix, ZeroStaysZero) {
  Matrix x(3, kCols);
  Coded q = quantized(x, spec());
  for (float v : q.decoded().data) ASSERT_EQ(v, 0.0f);
  for (float s : q.scales) ASSERT_TRUE(s > 0 && std::isfinite(s));
}

TEST_P(QuantizeMatrix, TinyGroupsDecodeToFiniteNumbersNoLargerThanAStep) {
  for (float tiny : {FLT_TRUE_MIN, 3 * FLT_TRUE_MIN, FLT_MIN / 2, FLT_MIN, 5 * FLT_MIN}) {
    Matrix x(1, kCols, tiny);
    Coded q = quantized(x, spec());
    Matrix got = q.decoded();
    for (int64_t c = 0; c < kCols; ++c)
      ASSERT_TRUE(std::fabs(got(0, c) - tiny) <= std::max(q.step(0, c), tiny))
          << tiny << " became " << got(0, c);
  }
}

TEST_P(QuantizeMatrix, LargestFloatsDecodeToFiniteNumbers) {
  for (float huge : {FLT_MAX, 0.75f * FLT_MAX, 0.5f * FLT_MAX}) {
    Matrix x(2, kCols, huge);
    for (float v : quantized(x, spec()).decoded().data) ASSERT_TRUE(std::isfinite(v)) << huge;
  }
}

TEST_P(QuantizeMatrix, PowersOfTwoScaleThroughExactly) {
  Matrix x = values("power-of-two");
  Matrix scaled = x;
  for (float& v : scaled.data) v *= 16;
  Coded q = quantized(x, spec()), q16 = quantized(scaled, spec());
  EXPECT_EQ(q.codes, q16.codes);
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t c = 0; c < kCols; ++c) ASSERT_EQ(q16.step(r, c), 16 * q.step(r, c));
}

TEST_P(QuantizeMatrix, GroupsAreIndependent) {
  const int64_t group = spec().group, groups = kCols / group;
  Matrix x = values("permutation");
  Matrix reversed = x;
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t c = 0; c < kCols; ++c)
      reversed(r, c) = x(kRows - 1 - r, (groups - 1 - c / group) * group + c % group);
  Coded q = quantized(x, spec()), p = quantized(reversed, spec());
  EXPECT_EQ(p.tensor_scale, q.tensor_scale);
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t c = 0; c < kCols; ++c) {
      const int64_t from_row = kRows - 1 - r, from_col = (groups - 1 - c / group) * group + c % group;
      ASSERT_EQ(p.codes[r * kCols + c], q.codes[from_row * kCols + from_col]);
      ASSERT_EQ(p.step(r, c), q.step(from_row, from_col));
    }
}

TEST_P(QuantizeMatrix, CodesStayInTheLegalSet) {
  Matrix x = normal_matrix(kRows, kCols, "range");
  x(0, 0) = 1e30f, x(1, 0) = -1e30f, x(2, 0) = -0.0f;
  Coded q = quantized(x, spec());
  const std::vector<uint8_t> legal = legal_codes();
  for (uint8_t code : q.codes)
    ASSERT_NE(std::find(legal.begin(), legal.end(), code), legal.end()) << int{code};
}

TEST_P(QuantizeMatrix, DividingInsideEqualsDividingBefore) {
  Matrix x = values("divide"), divided = x;
  std::vector<float> divide_by(kCols);
  for (int64_t c = 0; c < kCols; ++c) divide_by[c] = 0.3f + 0.017f * static_cast<float>(c);
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t c = 0; c < kCols; ++c) divided(r, c) = x(r, c) / divide_by[c];
  Coded inside = quantized(x, spec(), divide_by.data()), before = quantized(divided, spec());
  EXPECT_EQ(inside.codes, before.codes);
  EXPECT_EQ(inside.scales, before.scales);
}

TEST_P(QuantizeMatrix, OneScaleRowServesAllRows) {
  Matrix x = values("one-row");
  x(kRows - 1, 5) = 40;
  Coded q = quantized(x, spec(), nullptr, true);
  Matrix last(1, kCols);
  std::copy_n(&x(kRows - 1, 0), kCols, last.data.begin());
  EXPECT_EQ(q.scales[5 / spec().group], quantized(last, spec()).scales[5 / spec().group]);
  std::vector<uint8_t> again(q.codes.size());
  encode_matrix(x.view(), nullptr, spec(), q.scales_view(), q.tensor_scale, {again.data(), kRows, kCols});
  EXPECT_EQ(again, q.codes);
}

TEST_P(QuantizeMatrix, EncodingWithTheFoundScalesGivesTheSameCodes) {
  Matrix x = values("encode");
  Coded q = quantized(x, spec());
  std::vector<uint8_t> again(q.codes.size());
  encode_matrix(x.view(), nullptr, spec(), q.scales_view(), q.tensor_scale, {again.data(), kRows, kCols});
  EXPECT_EQ(again, q.codes);
}

TEST_P(QuantizeMatrix, StridedViewsTouchOnlyTheirOwnColumns) {
  constexpr int64_t kStride = 211;
  const int64_t groups = kCols / spec().group;
  Matrix x = values("strided"), wide(kRows, kStride, kNan);
  for (int64_t r = 0; r < kRows; ++r) std::copy_n(&x(r, 0), kCols, &wide(r, 0));
  std::vector<uint8_t> codes(kRows * kStride, 0xee);
  std::vector<float> scales(kRows * kStride, -1.0f);
  Coded q = quantized(x, spec());
  quantize_matrix({wide.data.data(), kRows, kCols, kStride}, nullptr, spec(),
                  {codes.data(), kRows, kCols, kStride}, {scales.data(), kRows, groups, kStride});
  for (int64_t r = 0; r < kRows; ++r) {
    ASSERT_TRUE(std::equal(&codes[r * kStride], &codes[r * kStride] + kCols, &q.codes[r * kCols]));
    ASSERT_TRUE(std::equal(&scales[r * kStride], &scales[r * kStride] + groups, &q.scales[r * groups]));
    ASSERT_TRUE(std::all_of(&codes[r * kStride] + kCols, &codes[r * kStride] + kStride,
                            [](int v) { return v == 0xee; }));
    ASSERT_TRUE(std::all_of(&scales[r * kStride] + groups, &scales[r * kStride] + kStride,
                            [](float v) { return v == -1; }));
  }
}

TEST_P(QuantizeMatrix, NoRowsIsFine) {
  Matrix x(0, kCols);
  EXPECT_TRUE(quantized(x, spec()).codes.empty());
}

TEST_P(QuantizeMatrix, RefusesNonFiniteValuesAndNamesTheFirst) {
  for (float bad : {kNan, -kNan, kInf, -kInf}) {
    Matrix x = values("refuse");
    x(2, 7) = bad, x(30, 1) = bad;
    EXPECT_TRUE(throws_error([&] { quantized(x, spec()); }, Errc::kInput, {"x(2, 7) = "})) << bad;
    Coded q = quantized(x = values("refuse"), spec());
    x(2, 7) = bad;
    EXPECT_TRUE(throws_error(
        [&] { encode_matrix(x.view(), nullptr, spec(), q.scales_view(), q.tensor_scale, q.codes_view()); },
        Errc::kInput, {"x(2, 7) = "}));
  }
}

TEST_P(QuantizeMatrix, RefusesAGroupThatDoesNotDivide) {
  QuantizeSpec bad = spec();
  bad.group = 5;
  Matrix x = values("group");
  EXPECT_TRUE(throws_error([&] { quantized(x, bad); }, Errc::kConfig, {"group 5 does not divide 192"}));
}

TEST(QuantizeMatrixRefusals, SmoothingFactorsMustBePositiveAndMustNotOverflow) {
  Matrix x = normal_matrix(2, 64, "smooth-refusal");
  std::vector<float> divide_by(64, 1.0f);
  divide_by[9] = 0.0f;
  EXPECT_TRUE(throws_error([&] { quantized(x, {}, divide_by.data()); }, Errc::kInput, {"divide_by[9] = 0"}));
  divide_by[9] = kInf;
  EXPECT_TRUE(
      throws_error([&] { quantized(x, {}, divide_by.data()); }, Errc::kInput, {"divide_by[9] = inf"}));
  divide_by[9] = 1e-38f;
  x(1, 9) = 1e10f;
  EXPECT_TRUE(
      throws_error([&] { quantized(x, {}, divide_by.data()); }, Errc::kInput, {"x(1, 9)", "overflows"}));
}

TEST(QuantizeMatrixRefusals, CombinationsWithoutMeaning) {
  Matrix x = normal_matrix(2, 64, "combinations");
  EXPECT_TRUE(
      throws_error([&] { quantized(x, {.two_level = true}); }, Errc::kConfig, {"two_level needs e4m3"}));
  EXPECT_TRUE(throws_error([&] { quantized(x, {.shift = 0.1f}); }, Errc::kConfig, {"shift 0.1", "uint4"}));
  Coded q = quantized(x, {});
  q.scales[1] = 0;
  EXPECT_TRUE(throws_error([&] { encode_matrix(x.view(), nullptr, {}, q.scales_view(), 1, q.codes_view()); },
                           Errc::kInput, {"scale(1, 0) = 0"}));
}

TEST(UnsignedCodes, NegativeValuesDoNotWidenTheScale) {
  Matrix x(1, 64, 3.0f);
  x(0, 1) = -90.0f;
  Coded q = quantized(x, {NumberFormat::kUint4, ScaleFormat::kFp32, 64});
  EXPECT_EQ(q.scales[0], 3.0f / 15.0f);
  EXPECT_EQ(q.codes[0], 15);
  EXPECT_EQ(q.codes[1], 0);
}

// The GELU shift: (x + shift) / divide_by is stored unsigned, shift / divide_by comes off after decoding.
TEST(ShiftedUint4, ApproximatesTheSmoothedInput) {
  constexpr float kShift = 0.171875f;
  const QuantizeSpec spec{NumberFormat::kUint4, ScaleFormat::kBf16, 64, false, kShift};
  Matrix x = normal_matrix(kRows, kCols, "gelu");
  std::vector<float> divide_by(kCols), subtract(kCols);
  for (int64_t c = 0; c < kCols; ++c) {
    divide_by[c] = 0.5f + 0.01f * static_cast<float>(c);
    subtract[c] = kShift / divide_by[c];
  }
  for (float& v : x.data) v = std::max(v, -0.17f);
  x(0, 0) = -3.0f;  // below the shift: code 0
  Coded q = quantized(x, spec, divide_by.data());
  EXPECT_EQ(q.codes[0], 0);
  Matrix got(kRows, kCols, kNan);
  dequantize_matrix(q.view(), subtract.data(), got.view());
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t c = r == 0 ? 1 : 0; c < kCols; ++c) {
      const float step = q.step(r, c), value = x(r, c) / divide_by[c];
      const float clipped = value + subtract[c] - 15 * step;
      ASSERT_TRUE(std::fabs(got(r, c) - value) <= std::max(0.5f * step, clipped) * (1 + 1e-5f))
          << r << ", " << c;
    }
}

}  // namespace
}  // namespace svdlab
