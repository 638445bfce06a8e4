#include "kernels/gemm_codes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>

#include "core/base/error.h"
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

constexpr int64_t kTokens = 5, kOut = 7, kCols = 192;

// |got - a w^T| within the fp32 error of one rounding per piece and product, in units of sum |a| |w|.
void expect_product(Matrix& got, Matrix& a, Matrix& w, float start) {
  constexpr double kTolerance = (kCols / 16 + 4) * FLT_EPSILON;
  for (int64_t t = 0; t < kTokens; ++t)
    for (int64_t n = 0; n < kOut; ++n) {
      double exact = start, magnitude = std::fabs(start);
      for (int64_t k = 0; k < kCols; ++k) {
        exact += static_cast<double>(a(t, k)) * w(n, k);
        magnitude += std::fabs(static_cast<double>(a(t, k)) * w(n, k));
      }
      ASSERT_TRUE(std::fabs(got(t, n) - exact) <= kTolerance * magnitude)
          << t << ", " << n << ": " << got(t, n) << " " << exact;
    }
}

// Scales differ from group to group by orders of magnitude, so that a wrong one cannot hide.
Matrix graded(int64_t rows, const std::string& name, bool non_negative) {
  Matrix m = normal_matrix(rows, kCols, name);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < kCols; ++c) {
      m(r, c) *= std::ldexp(1.0f, static_cast<int>((r + c / 16) % 5));
      if (non_negative) m(r, c) = std::fabs(m(r, c));
    }
  return m;
}

class GemmCodes : public ::testing::TestWithParam<std::tuple<NamedSpec, NamedSpec>> {};
INSTANTIATE_TEST_SUITE_P(Pairs, GemmCodes,
                         ::testing::Combine(::testing::ValuesIn(all_specs(kCols)),
                                            ::testing::ValuesIn(all_specs(kCols))),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_x_" +
                                  std::get<1>(info.param).name;
                         });

TEST_P(GemmCodes, EqualsTheProductOfTheDecodedMatricesAndAddsToTheOutput) {
  const auto& [a_spec, w_spec] = GetParam();
  Matrix x = graded(kTokens, "gemm-a", a_spec.spec.format == NumberFormat::kUint4);
  Matrix y = graded(kOut, "gemm-w", w_spec.spec.format == NumberFormat::kUint4);
  Coded a = quantized(x, a_spec.spec), w = quantized(y, w_spec.spec);
  Matrix out(kTokens, kOut, 3.5f), a_values = a.decoded(), w_values = w.decoded();
  gemm_codes(a.view(), w.view(), out.view());
  expect_product(out, a_values, w_values, 3.5f);
}

TEST_P(GemmCodes, OneScaleRowServesAllRows) {
  const auto& [a_spec, w_spec] = GetParam();
  Matrix x = graded(kTokens, "gemm-a1", true), y = graded(kOut, "gemm-w1", true);
  Coded a = quantized(x, a_spec.spec, nullptr, true), w = quantized(y, w_spec.spec, nullptr, true);
  Matrix out(kTokens, kOut), a_values = a.decoded(), w_values = w.decoded();
  gemm_codes(a.view(), w.view(), out.view());
  expect_product(out, a_values, w_values, 0.0f);
}

class GemmWeightCodes : public ::testing::TestWithParam<NamedSpec> {};
INSTANTIATE_TEST_SUITE_P(Formats, GemmWeightCodes, ::testing::ValuesIn(all_specs(kCols)),
                         [](const auto& info) { return info.param.name; });

TEST_P(GemmWeightCodes, PlainInputEqualsTheProductOfTheDecodedWeights) {
  Matrix x = graded(kTokens, "plain-a", false), y = graded(kOut, "plain-w", true);
  Coded w = quantized(y, GetParam().spec);
  Matrix out(kTokens, kOut), w_values = w.decoded();
  gemm_codes(x.view(), w.view(), out.view());
  expect_product(out, x, w_values, 0.0f);
}

// Integers and powers of two: every step is exact, so the result is, to the bit.
TEST(GemmCodesExact, SmallIntegersAndPowerOfTwoScales) {
  Matrix x(1, 128), y(1, 128);
  for (int64_t k = 0; k < 128; ++k) {
    x(0, k) = static_cast<float>(k % 15 - 7);
    y(0, k) = static_cast<float>((3 * k) % 15 - 7) * (k < 64 ? 0.25f : 8.0f);
  }
  Coded a = quantized(x, {}), w = quantized(y, {});
  EXPECT_EQ(a.scales, (std::vector<float>{1.0f, 1.0f}));
  EXPECT_EQ(w.scales, (std::vector<float>{0.25f, 8.0f}));
  double exact = 0;
  for (int64_t k = 0; k < 128; ++k) exact += static_cast<double>(x(0, k)) * y(0, k);
  Matrix out(1, 1);
  gemm_codes(a.view(), w.view(), out.view());
  EXPECT_EQ(out(0, 0), exact);
}

// 127 * 127 * 131072 is the largest sum the contract allows.
TEST(GemmCodesExact, LongestRowDoesNotOverflow) {
  constexpr int64_t kLong = 131072;
  const QuantizeSpec spec{NumberFormat::kInt8, ScaleFormat::kFp32, kLong};
  Matrix x(1, kLong, 127.0f);
  Coded q = quantized(x, spec);
  Matrix out(1, 1);
  gemm_codes(q.view(), q.view(), out.view());
  EXPECT_EQ(out(0, 0), static_cast<float>(127.0 * 127.0 * kLong));
}

// 255 * 255 * 32768; one column more is refused.
TEST(GemmCodesExact, LongestRowOfAffineCodesDoesNotOverflow) {
  constexpr int64_t kLong = 32768;
  const std::vector<uint8_t> codes(kLong + 1, 255);
  Matrix scale(1, 1, 1.0f), zero(1, 1, 0.0f), out(1, 1);
  const auto affine = [&](int64_t columns) {
    return CodedMatrix{.format = NumberFormat::kAffine,
                       .group = columns,
                       .codes = {codes.data(), 1, columns},
                       .scales = scale.view(),
                       .zeros = zero.view()};
  };
  gemm_codes(affine(kLong), affine(kLong), out.view());
  EXPECT_EQ(out(0, 0), static_cast<float>(255.0 * 255.0 * kLong));
  EXPECT_TRUE(throws_error([&] { gemm_codes(affine(kLong + 1), affine(kLong + 1), out.view()); },
                           Errc::kInput, {"32769", "32768"}));
}

TEST(GemmCodesRefusals, ShapesThatDoNotFit) {
  Matrix x = normal_matrix(2, 128, "refuse-a"), y = normal_matrix(3, 64, "refuse-w");
  Coded a = quantized(x, {}), w = quantized(y, {});
  Matrix out(2, 3);
  EXPECT_TRUE(throws_error([&] { gemm_codes(a.view(), w.view(), out.view()); }, Errc::kInput, {"128", "64"}));
  CodedMatrix broken = w.view();
  broken.scales.cols = 2;
  EXPECT_TRUE(
      throws_error([&] { gemm_codes(w.view(), broken, out.view()); }, Errc::kInput, {"scales are [3, 2]"}));
}

}  // namespace
}  // namespace svdlab
