#include "core/ir/quantize.h"
#include "tests/quant/activation_problems.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::random_tensor;
using testing::throws_error;

QuantizedTensor affine(const Tensor& w, const TensorScheme& scheme, const std::string& yaml = "{}") {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "weights.affine");
  const auto quantizer = weight_quantizers().at("affine")(fields);
  fields.finish();
  return quantizer->quantize(w, scheme, {});
}

TensorScheme scheme(Grouping grouping, ScaleFormat scale = ScaleFormat::kFp32) {
  return {.format = NumberFormat::kInt4, .grouping = grouping, .group = 32, .scale = scale};
}

// Rows of very different ranges, none centred.
Tensor skewed() {
  return random_tensor({24, 128}, "affine").mul(at::logspace(-2, 2, 24).unsqueeze(1)) +
         at::linspace(-3, 3, 24).unsqueeze(1);
}

TEST(Affine, ZeroIsOneOfTheCodes) {
  Tensor w = skewed();
  w.slice(1, 0, 7).zero_();
  for (const Grouping g : {Grouping::kRow, Grouping::kGroup, Grouping::kTensor}) {
    const QuantizedTensor q = affine(w, scheme(g));
    expect_identical(q.zeros, q.zeros.round());
    EXPECT_GE(q.zeros.min().item<float>(), 0);
    EXPECT_LE(q.zeros.max().item<float>(), 15);
    expect_identical(dequantize(q).slice(1, 0, 7).contiguous(), at::zeros({24, 7}));
  }
}

TEST(Affine, NoWeightIsFurtherThanOneStepAndInsideHalfAStep) {
  const Tensor w = skewed();
  for (const ScaleFormat format : {ScaleFormat::kFp32, ScaleFormat::kBf16}) {
    const QuantizedTensor q = affine(w, scheme(Grouping::kRow, format));
    const Tensor steps = (dequantize(q) - w).abs() / q.scales;
    // An end may be missed by the rounding of the zero point, and by that of a bf16 scale.
    const double end = format == ScaleFormat::kFp32 ? 1.0 : 1.0 + 15 * 0x1p-8;
    EXPECT_TRUE((steps <= end).all().item<bool>()) << steps.max().item<float>();
    EXPECT_GT((steps <= 0.5001).to(at::kDouble).mean().item<double>(), 0.97);
  }
}

TEST(Affine, FinerGroupsErrLess) {
  const Tensor w = skewed();
  const auto error = [&](Grouping g) {
    return (dequantize(affine(w, scheme(g))) - w).square().sum(1).to(at::kDouble);
  };
  const Tensor tensor = error(Grouping::kTensor), row = error(Grouping::kRow),
               group = error(Grouping::kGroup);
  EXPECT_TRUE((row <= tensor).all().item<bool>());
  EXPECT_TRUE(group.sum().item<double>() < row.sum().item<double>());
}

TEST(Affine, BeatsSymmetricCodesWhereValuesAreNotCentred) {
  const Tensor w = random_tensor({24, 128}, "centre").abs();
  const TensorScheme row = scheme(Grouping::kRow);
  EXPECT_LT(testing::relative_difference(dequantize(affine(w, row)), w),
            0.6 * testing::relative_difference(dequantize(quantize(w, row)), w));
}

TEST(Affine, BitsAreThoseOfTheSchemeOrTheOption) {
  const Tensor w = skewed();
  EXPECT_EQ(affine(w, scheme(Grouping::kRow)).scheme.bits, 4);
  EXPECT_EQ(affine(w, *scheme_named("w8a8").weights).scheme.bits, 8);
  const QuantizedTensor q = affine(w, scheme(Grouping::kGroup, ScaleFormat::kBf16), "{bits: 3}");
  EXPECT_EQ(q.codes.max().item<int64_t>(), 7);
  EXPECT_EQ(q.bits(), 24 * 128 * 3 + 24 * 4 * (16 + 3));  // codes; scales and zero points
}

TEST(Affine, RefusesWhatItHasNoScalesFor) {
  const Tensor w = skewed();
  EXPECT_TRUE(throws_error([&] { affine(w, *scheme_named("nvfp4").weights); }, Errc::kConfig, {"two_level"}));
  EXPECT_TRUE(throws_error([&] { affine(w, *scheme_named("mxfp4").weights); }, Errc::kConfig,
                           {"e8m0", "scale: bf16"}));
  EXPECT_TRUE(throws_error([&] { affine(w, scheme(Grouping::kRow), "{bits: 9}"); }, Errc::kConfig,
                           {"weights.affine.bits", "9"}));
  w[2][5] = NAN;
  EXPECT_TRUE(throws_error([&] { affine(w, scheme(Grouping::kRow)); }, Errc::kInput, {"x(2, 5) = nan"}));
}

}  // namespace
}  // namespace svdlab
