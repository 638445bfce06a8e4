#include "core/ir/compressed.h"

#include <gtest/gtest.h>

#include <cfloat>

#include "core/base/error.h"
#include "core/ir/quantize.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::random_tensor;
using testing::throws_error;

constexpr int64_t kSize = 256;

LowBitBranch low_bit(const std::string& scheme) {
  return {.weight = quantize(random_tensor({kSize, kSize}, "low-bit"), *scheme_named(scheme).weights),
          .activations = {},
          .segments = {{0, kSize}}};
}

LowRankBranch rank8() {
  return {.down = random_tensor({8, kSize}, "down"), .up = random_tensor({kSize, 8}, "up")};
}

double bits_per_weight(std::vector<Branch> branches, const Tensor& smooth = {}) {
  return CompressedLinear{.name = "x", .smooth = smooth, .bias = {}, .branches = std::move(branches)}
      .bits_per_weight();
}

TEST(CompressedLinear, CountsEveryStoredBit) {
  EXPECT_EQ(bits_per_weight({low_bit("int4")}), 4.25);  // 16-bit scale for 64 codes
  EXPECT_EQ(bits_per_weight({low_bit("w4a16-nf4-g64")}), 4.25);
  EXPECT_EQ(bits_per_weight({low_bit("mxfp4")}), 4.25);                          // 8 for 32
  EXPECT_EQ(bits_per_weight({low_bit("nvfp4")}), 4.5 + 32.0 / (kSize * kSize));  // 8 for 16, fp32 on top
  EXPECT_EQ(bits_per_weight({low_bit("w8a8")}), 8.125);                          // 32 for 256
  CompressedLinear smoothed{.name = "x", .smooth = at::ones({kSize}), .branches = {low_bit("int4")}};
  EXPECT_EQ(smoothed.bits_per_weight(), 4.25 + 16.0 / kSize);
  smoothed.smooth_sharers = 4;
  EXPECT_EQ(smoothed.bits_per_weight(), 4.25 + 4.0 / kSize);
  EXPECT_EQ(bits_per_weight({low_bit("int4"), rank8()}), 5.25);  // 16 * 8 * 512 / 65536 = 1
  EXPECT_EQ(bits_per_weight({low_bit("int4")}, at::ones({kSize})), 4.25 + 16.0 / kSize);
  LowRankBranch shared = rank8();
  shared.sharers = 4;
  EXPECT_EQ(bits_per_weight({shared}), 0.125 + 0.5);
}

TEST(CompressedLinear, FindsItsBranchesAndShape) {
  CompressedLinear linear{.name = "x", .smooth = {}, .bias = {}, .branches = {rank8(), low_bit("int4")}};
  EXPECT_EQ(linear.low_rank()->rank(), 8);
  EXPECT_EQ(linear.low_bit()->weight.scheme.group, 64);
  linear.branches.pop_back();
  EXPECT_EQ(linear.low_bit(), nullptr);
  EXPECT_EQ(linear.out_features(), kSize);
  EXPECT_EQ(linear.in_features(), kSize);
  linear.branches.clear();
  EXPECT_TRUE(throws_error([&] { linear.in_features(); }, Errc::kInput, {"'x' has no branch"}));
}

TEST(CompressedLinear, EffectiveWeightUndoesTheSmoothing) {
  const Tensor smooth = random_tensor({kSize}, "smooth").abs().add(0.1);
  const CompressedLinear linear{
      .name = "x", .smooth = smooth, .bias = {}, .branches = {low_bit("int4"), rank8()}};
  const Tensor sum = dequantize(linear.low_bit()->weight).to(at::kDouble) +
                     at::mm(linear.low_rank()->up.to(at::kDouble), linear.low_rank()->down.to(at::kDouble));
  expect_close(linear.effective_weight(), sum / smooth, 4 * FLT_EPSILON);
}

TEST(Dequantize, FollowsTheDefinitionForEveryScheme) {
  for (const Scheme& scheme : built_in_schemes()) {
    if (!scheme.weights) continue;
    SCOPED_TRACE(scheme.name);
    const QuantizedTensor q = low_bit(scheme.name).weight;
    const int64_t group = scheme.weights->grouping == Grouping::kGroup ? scheme.weights->group : kSize;
    const Tensor values = dequantize(q);
    const Tensor steps = q.scales.repeat_interleave(group, 1) * q.tensor_scale;
    const Tensor units = values / steps;  // what the codes alone stand for
    const double largest = largest_code_value(scheme.weights->format);
    EXPECT_TRUE((units.abs() <= largest * (1 + FLT_EPSILON)).all().item<bool>());
    if (scheme.weights->format == NumberFormat::kInt4)
      expect_close(units, at::where(q.codes > 7, q.codes.to(at::kFloat) - 16, q.codes.to(at::kFloat)),
                   2 * FLT_EPSILON);
  }
}

TEST(Quantize, EqualsTheTensorFormulaOfInt4) {
  const Tensor w = random_tensor({kSize, kSize}, "formula");
  const QuantizedTensor q = quantize(w, *scheme_named("int4").weights);
  const Tensor groups = w.view({kSize, 4, 64});
  const Tensor scales = (groups.abs().amax(2) / 7).to(at::kBFloat16).to(at::kFloat);
  const Tensor codes = (groups / scales.unsqueeze(2)).round().clamp(-7, 7) + 0.0;  // integers have no -0
  expect_identical(q.scales, scales);
  expect_identical(dequantize(q), (codes * scales.unsqueeze(2)).view({kSize, kSize}));
}

TEST(Quantize, OneScaleForTheTensor) {
  TensorScheme scheme{
      .format = NumberFormat::kInt8, .grouping = Grouping::kTensor, .scale = ScaleFormat::kFp32};
  const Tensor w = random_tensor({3, 5}, "per-tensor");
  const QuantizedTensor q = quantize(w, scheme);
  ASSERT_EQ(q.scales.sizes(), (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(q.scales.item<float>(), w.abs().max().item<float>() / 127);
  EXPECT_TRUE(((dequantize(q) - w).abs() <= 0.5001 * q.scales).all().item<bool>());
}

TEST(Quantize, TakesTransposedViewsAndRefusesWhatItCannotHold) {
  const Tensor w = random_tensor({64, 128}, "transposed");
  const TensorScheme scheme = *scheme_named("int4").weights;
  expect_identical(quantize(w.t(), scheme).codes, quantize(w.t().contiguous(), scheme).codes);
  EXPECT_TRUE(throws_error([&] { quantize(w.slice(1, 0, 100), scheme); }, Errc::kConfig,
                           {"group 64", "100 columns"}));
  w[3][9] = NAN;
  EXPECT_TRUE(throws_error([&] { quantize(w, scheme); }, Errc::kInput, {"x(3, 9) = nan"}));
}

TEST(CodedMatrixOf, RefusesTensorsThatDoNotFitTogether) {
  QuantizedTensor q = low_bit("int4").weight;
  q.scales = q.scales.slice(1, 0, 3).contiguous();
  EXPECT_TRUE(throws_error([&] { dequantize(q); }, Errc::kInput, {"scales are [256, 3]", "256 or 1, 4"}));
}

}  // namespace
}  // namespace svdlab
