// Linears with what SVDQuant itself does not use: zero points, codebooks, static and cross ranges, steps
// behind the division, branches on the untransformed input.
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/ir/quantize.h"
#include "core/runtime/compressed_linear.h"
#include "core/runtime/fake_quantize.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::random_tensor;
using testing::throws_error;

constexpr int64_t kTokens = 9, kIn = 128, kOut = 24;

Tensor bf16(const Tensor& x) { return x.to(at::kBFloat16).to(at::kFloat); }
Tensor weight() { return random_tensor({kOut, kIn}, "weight"); }
Tensor input() { return bf16(random_tensor({kTokens, kIn}, "input")); }

// Unsigned codes of `bits` with a zero point for each row and group.
QuantizedTensor affine(const Tensor& w, int bits, bool integer_zeros) {
  QuantizedTensor q = empty_quantized(
      {.format = NumberFormat::kAffine, .group = 32, .scale = ScaleFormat::kFp32, .bits = bits}, w.size(0),
      w.size(1));
  const Tensor groups = w.view({w.size(0), -1, 32});
  const Tensor low = groups.amin(2).clamp_max(0), high = groups.amax(2).clamp_min(0);
  q.scales = (high - low) / static_cast<double>((1 << bits) - 1);
  q.zeros = -low / q.scales;
  if (integer_zeros) q.zeros = q.zeros.round();
  encode(w, q);
  return q;
}

ActivationScheme static_scheme() {
  return {.tensor = {NumberFormat::kAffine, Grouping::kTensor, 0, ScaleFormat::kFp32, false, 8},
          .range = Range::kStatic};
}

LowBitBranch low_bit(QuantizedTensor q, std::optional<ActivationScheme> activations) {
  return {.weight = std::move(q), .activations = activations, .segments = {{0, 64}, {64, kIn}}};
}

struct Case {
  std::string name;
  CompressedLinear linear;
};

std::vector<Case> cases() {
  const Tensor book = at::tensor({-1.0f, -0.3f, 0.0f, 0.2f, 1.0f});
  const TensorScheme g32{.group = 32};
  const std::optional<ActivationScheme> none, int4 = ActivationScheme{TensorScheme{.group = 32}, true};
  LowBitBranch ranged = low_bit(affine(weight(), 8, true), static_scheme());
  ranged.ranges = at::tensor({0.02f, 121.0f, 0.03f, 130.0f}).view({2, 2});
  const ActivationScheme cross{.tensor = {NumberFormat::kInt8, Grouping::kRow, 0, ScaleFormat::kFp32},
                               .range = Range::kCross,
                               .exponent = 0.15};
  const std::vector<OnlineStep> steps = {Hadamard{0, kIn, 64, {}}, Offset{bf16(random_tensor({kIn}, "n"))}};
  const SparseBranch sparse{.in_features = kIn,
                            .starts = at::cat({at::zeros({1}, at::kLong), at::full({kOut}, 3, at::kLong)}),
                            .columns = at::tensor({int64_t{1}, int64_t{5}, int64_t{127}}),
                            .values = at::tensor({4.0f, -2.0f, 0.5f})};
  const ColumnsBranch columns{.columns = at::tensor({int64_t{7}, int64_t{100}}),
                              .weight = bf16(random_tensor({kOut, 2}, "columns"))};
  const ColumnsBranch dynamic{
      .columns = at::arange(kIn), .weight = bf16(random_tensor({kOut, kIn}, "all")), .threshold = 2.5};
  const KroneckerBranch kronecker{.left = bf16(random_tensor({2, 4, 8}, "left")),
                                  .right = bf16(random_tensor({2, 6, 16}, "right"))};
  const LowBitBranch plain = low_bit(quantize(weight(), g32), int4);
  return {{"affine", {.branches = {low_bit(affine(weight(), 3, true), none)}}},
          {"affine_real_zeros", {.branches = {low_bit(affine(weight(), 3, false), int4)}}},
          {"affine_integer_zeros", {.branches = {low_bit(affine(weight(), 8, true), int4)}}},
          {"codebook", {.branches = {low_bit(quantize_to_codebook(weight(), g32, book), int4)}}},
          {"static", {.branches = {ranged}}},
          {"cross", {.branches = {low_bit(quantize(weight(), g32), cross)}}},
          {"steps",
           {.smooth = bf16(random_tensor({kIn}, "s").abs().add(0.5)), .then = steps, .branches = {plain}}},
          {"sparse", {.branches = {plain, sparse}}},
          {"columns", {.branches = {plain, columns}}},
          {"dynamic_columns", {.branches = {plain, dynamic}}},
          {"kronecker", {.branches = {plain, kronecker}}}};
}

class RelativesLinear : public ::testing::TestWithParam<Case> {};

TEST_P(RelativesLinear, CodesEqualDequantized) {
  const CompressedLinear& linear = GetParam().linear;
  expect_close(run_compressed(linear, input(), Execution::kCodes),
               run_compressed(linear, input(), Execution::kDequantized), 2e-6);
}

TEST_P(RelativesLinear, WithoutActivationQuantizationItIsTheEffectiveWeight) {
  CompressedLinear linear = GetParam().linear;
  if (GetParam().name == "dynamic_columns") GTEST_SKIP() << "no fixed weight";
  std::get<LowBitBranch>(linear.branches[0]).activations.reset();
  const Tensor c = linear.online().constant(kIn);
  Tensor x = input();
  for (const Branch& branch : linear.branches)
    if (const auto* columns = std::get_if<ColumnsBranch>(&branch)) {
      // Weights of columns that are taken do not act.
      Tensor& codes = std::get<LowBitBranch>(linear.branches[0]).weight.codes;
      codes = codes.index_fill(1, columns->columns, 0);
    }
  Tensor expected = at::mm(x, linear.effective_weight().t());
  if (c.defined()) expected += at::mv(dequantize(linear.low_bit()->weight), c);
  expect_close(run_compressed(linear, x, Execution::kDequantized), expected, 3e-6);
}

INSTANTIATE_TEST_SUITE_P(All, RelativesLinear, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

TEST(AffineCodes, AreTheNearestAndZeroIsExact) {
  const Tensor w = weight();
  const QuantizedTensor q = affine(w, 4, true);
  const Tensor error = (dequantize(q) - w).abs(), steps = q.scales.repeat_interleave(32, 1);
  EXPECT_LE((error / steps).max().item<float>(),
            1.0f);  // half a step, and as much for the rounded zero point
  EXPECT_EQ(dequantize(affine(at::zeros({2, 32}) + at::eye(32).slice(0, 0, 2), 4, true))
                .eq(0)
                .sum()
                .item<int64_t>(),
            62);
}

TEST(Codebook, TakesTheNearestLevel) {
  const Tensor book = at::tensor({-1.0f, -0.25f, 0.5f, 1.0f});
  const Tensor values = at::tensor({-1.0f, -0.7f, -0.6f, 0.0f, 0.2f, 0.8f, 0.74f, 1.0f}).view({1, 8});
  const QuantizedTensor q = quantize_to_codebook(values, {.group = 8, .scale = ScaleFormat::kFp32}, book);
  expect_identical(q.codes, at::tensor({0, 0, 1, 1, 2, 3, 2, 3}).to(at::kByte).view({1, 8}));
  EXPECT_EQ(q.scheme.bits, 2);
  EXPECT_EQ(q.bits(), 2 * 8 + 32 + 16 * 4);
}

TEST(StaticRange, ClipsAndIgnoresTheTokensAtHand) {
  LowBitBranch branch = cases()[4].linear.low_bit()[0];
  const auto run = [&](const Tensor& x) {
    return fake_quantize(x, {}, *branch.activations, branch.segments, branch.ranges);
  };
  const Tensor x = input(), loud = x.clone();
  loud.select(0, 0).select(0, 0).fill_(1000.0);
  expect_identical(run(loud).slice(0, 1), run(x).slice(0, 1));
  EXPECT_NEAR(run(loud)[0][0].item<float>(), (255 - 121) * 0.02f, 1e-5);
}

TEST(RelativesRefusals, NameTheFix) {
  const LowBitBranch affine_dynamic =
      low_bit(affine(weight(), 4, true), ActivationScheme{static_scheme().tensor});
  EXPECT_TRUE(
      throws_error([&] { run_compressed({.branches = {affine_dynamic}}, input(), Execution::kDequantized); },
                   Errc::kConfig, {"static"}));
  const LowBitBranch cross = low_bit(affine(weight(), 4, true), ActivationScheme{.range = Range::kCross});
  EXPECT_TRUE(throws_error([&] { run_compressed({.branches = {cross}}, input(), Execution::kDequantized); },
                           Errc::kConfig, {"grouping row"}));
}

}  // namespace
}  // namespace svdlab
