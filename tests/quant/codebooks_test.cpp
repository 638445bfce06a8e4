// POST and NormalFloat: their levels, and CodebookQuantizer, which rounds to them.
#include "quant/codebooks.h"

#include "core/formats/nf4.h"
#include "core/ir/quantize.h"
#include "tests/quant/weight_problems.h"

namespace svdlab {
namespace {

using testing::best_relative_error;
using testing::embedded_linears;
using testing::expect_identical;
using testing::OutlierGroup;
using testing::random_tensor;
using testing::relative_error;
using testing::throws_error;
using testing::weights;

Tensor powers_of_two(int bits) {
  const int above = (1 << (bits - 1)) - 1;
  std::vector<float> levels = {0.0f};
  for (int k = 0; k < above; ++k)
    for (const double sign : {1.0, -1.0}) levels.push_back(static_cast<float>(sign * std::exp2(-k)));
  return std::get<0>(at::tensor(levels).sort());
}

TEST(Post, LevelsArePowersOfTheRootOfTwo) {
  const Tensor levels = post_levels(4);
  ASSERT_EQ(levels.numel(), 15);
  expect_identical(levels.flip(0).neg() + 0.0f, levels + 0.0f);
  for (int k = 0; k < 7; ++k) EXPECT_EQ(levels[14 - k].item<float>(), std::exp2(-0.5f * k)) << k;
}

// Even k: a shift. Odd k: the same shift of 1 / sqrt(2).
TEST(Post, OddLevelsAreShiftsOfOneNumber) {
  const float root = post_levels(2)[2].item<float>() * static_cast<float>(std::sqrt(0.5));
  for (int bits = 2; bits <= 6; ++bits) {
    const Tensor levels = post_levels(bits);
    const int above = (1 << (bits - 1)) - 1;
    for (int k = 0; k < above; ++k) {
      const float shifted = std::ldexp(k % 2 == 0 ? 1.0f : root, -(k / 2));
      EXPECT_EQ(levels[2 * above - k].item<float>(), shifted) << bits << " bits, k = " << k;
    }
  }
}

TEST(Post, BetterThanPowersOfTwoFromFourBitsOn) {
  const Tensor w = random_tensor({256, 256}, "gaussian");
  for (const int bits : {4, 5}) {
    const double post = best_relative_error(w, post_levels(bits)),
                 pot = best_relative_error(w, powers_of_two(bits));
    EXPECT_TRUE(post < 0.5 * pot) << bits << " bits: " << post << " against " << pot;
  }
  EXPECT_TRUE(std::abs(best_relative_error(w, post_levels(4)) - 0.013) < 0.001);
}

TEST(NormalFloat, FourBitsAreNf4) {
  const Tensor levels = normal_float_levels(4);
  ASSERT_EQ(levels.numel(), 16);
  for (int i = 0; i < 16; ++i) EXPECT_NEAR(levels[i].item<float>(), kNf4Values[i], 1e-6) << i;
  const TensorScheme scheme = *scheme_named("w4a16-nf4-g64").weights;
  const Tensor w = random_tensor({64, 256}, "nf");
  const Tensor other = weights("nf")->quantize(w, scheme, {}).codes != quantize(w, scheme).codes;
  EXPECT_LE(other.sum().item<int64_t>(), 2) << "codes on a tie of levels that differ by 1e-7";
}

// Normal numbers use all levels alike, but for the two ends.
TEST(NormalFloat, LevelsAreQuantiles) {
  for (const int bits : {2, 3, 5, 8}) {
    const Tensor levels = normal_float_levels(bits);
    ASSERT_EQ(levels.numel(), 1 << bits);
    EXPECT_EQ(levels[0].item<float>(), -1);
    EXPECT_EQ(levels[-1].item<float>(), 1);
    EXPECT_EQ(levels[(1 << (bits - 1)) - 1].item<float>(), 0);
    EXPECT_TRUE((levels.slice(0, 1) > levels.slice(0, 0, -1)).all().item<bool>());
    const double half = std::exp2(bits - 1);
    const double outermost = 1 - 0.5 * (1 / (4 * half) + 1 / (4 * half - 2));
    const Tensor p =
        at::special_ndtr(levels.to(at::kDouble) * at::special_ndtri(at::tensor(outermost, at::kDouble)));
    const Tensor steps =
        p.slice(0, static_cast<int64_t>(half)) - p.slice(0, static_cast<int64_t>(half) - 1, -1);
    EXPECT_TRUE((steps.max() - steps.min()).item<double>() < 1e-6) << bits;
  }
}

TEST(NormalFloat, DoubleQuantizationOfScalesIsCountedAndCostsLittle) {
  const TensorScheme scheme = *scheme_named("w4a16-int4-g64").weights;
  for (const LinearSpec& linear : embedded_linears()) {
    const Tensor w = linear.weight.to(at::kFloat);
    const QuantizedTensor once = weights("nf")->quantize(w, scheme, {}),
                          twice = weights("nf", "{double_quant: true}")->quantize(w, scheme, {});
    const double n = static_cast<double>(w.numel()), groups = n / 64;
    EXPECT_EQ(once.bits(), 4 * n + 16 * groups + 16 * 16);
    EXPECT_EQ(twice.bits(), 4 * n + (8 + 32.0 / 256) * groups + 16 * 16);
    const double plain = relative_error(w, dequantize(once)), coded = relative_error(w, dequantize(twice));
    EXPECT_TRUE(coded < 1.05 * plain) << linear.name << ": " << coded << " against " << plain;
    EXPECT_TRUE(plain < relative_error(w, dequantize(quantize(w, scheme)))) << linear.name << ": int4";
  }
}

TEST(NormalFloat, MoreBitsErrLess) {
  const TensorScheme scheme = *scheme_named("w4a16-int4-g64").weights;
  const Tensor w = random_tensor({64, 256}, "nf");
  double before = 1;
  for (int bits = 2; bits <= 8; ++bits) {
    const double error =
        relative_error(w, dequantize(weights("nf", concat("{bits: ", bits, "}"))->quantize(w, scheme, {})));
    EXPECT_TRUE(error < 0.8 * before) << bits << " bits: " << error;
    before = error;
  }
}

class CodebookFormats : public ::testing::TestWithParam<std::string> {};

TEST_P(CodebookFormats, CodesAreThoseOfTheNearestLevels) {
  const TensorScheme scheme = *scheme_named("w4a16-int4-g64").weights;
  const Tensor w = random_tensor({16, 128}, "nearest");
  const QuantizedTensor q = weights(GetParam())->quantize(w, scheme, {});
  const Tensor scaled = w.view({16, 2, 64, 1}) / q.scales.view({16, 2, 1, 1});
  const Tensor distance = (scaled - q.codebook).abs();
  const Tensor taken = distance.gather(3, q.codes.to(at::kLong).view({16, 2, 64, 1}));
  EXPECT_TRUE((taken <= std::get<0>(distance.min(3, true)) + 1e-7).all().item<bool>());
}

TEST_P(CodebookFormats, CodesRunAsTheDecodedWeightAloneAndInSvdquant) {
  for (const char* scheme : {"int4", "nvfp4", "w4a16-int4-g64"})
    for (const char* preset : {"rtn", "svdquant"}) {
      SCOPED_TRACE(concat(scheme, " ", preset));
      const OutlierGroup g("codebook", {48, 32}, 128, scheme, /*tokens=*/64);
      const auto c =
          testing::compress(g.problem, concat("{preset: ", preset, ", weights: ", GetParam(), "}"));
      EXPECT_EQ(c.linears[0].low_bit()->weight.scheme.format, NumberFormat::kCodebook);
      testing::expect_codes_run_as_decoded(g, c);
    }
}

TEST_P(CodebookFormats, SvdquantOnItIsBetterThanItAlone) {
  const OutlierGroup g("codebook", {96}, 128, "int4");
  const double alone = testing::output_error(g, "weights: " + GetParam()),
               both = testing::output_error(g, "{preset: svdquant, weights: " + GetParam() + "}");
  EXPECT_TRUE(both < 0.6 * alone) << both << " against " << alone;
}

TEST_P(CodebookFormats, RefusesBitsItHasNot) {
  EXPECT_TRUE(throws_error([&] { weights(GetParam(), "{bits: 9}"); }, Errc::kConfig, {"bits", "8", "9"}));
  EXPECT_TRUE(throws_error([&] { weights(GetParam(), "{bits: 1}"); }, Errc::kConfig, {"bits", "1"}));
}

INSTANTIATE_TEST_SUITE_P(All, CodebookFormats, ::testing::Values("nf", "post", "twin-log"),
                         [](const auto& info) { return info.param == "twin-log" ? "twin_log" : info.param; });

}  // namespace
}  // namespace svdlab
