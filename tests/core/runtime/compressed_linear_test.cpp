#include "core/runtime/compressed_linear.h"

#include <gtest/gtest.h>

#include <cfloat>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/ir/quantize.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::random_tensor;
using testing::throws_error;

constexpr int64_t kTokens = 9, kIn = 256, kOut = 40;

Tensor bf16(const Tensor& x) { return round_to(x, Precision::kBf16); }

struct Case {
  std::string scheme;
  bool smooth, low_rank, two_segments;
  std::string name() const {
    return scheme + (smooth ? " smooth" : "") + (low_rank ? " rank 8" : "") +
           (two_segments ? " attention|gelu" : "");
  }
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Scheme& scheme : built_in_schemes())
    for (int bits = 0; scheme.weights && bits < 8; ++bits)
      cases.push_back({scheme.name, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0});
  return cases;
}

CompressedLinear make(const Case& c) {
  const Scheme& scheme = scheme_named(c.scheme);
  CompressedLinear linear{
      .name = "blocks.0.ff", .smooth = {}, .bias = bf16(random_tensor({kOut}, "bias")), .branches = {}};
  if (c.smooth) linear.smooth = bf16(random_tensor({kIn}, "smooth").abs().add(0.2));
  std::vector<Segment> segments = {{0, kIn, Producer::kModulate}};
  if (c.two_segments) segments = {{0, 64, Producer::kAttention}, {64, kIn, Producer::kGelu}};
  linear.branches.push_back(LowBitBranch{quantize(random_tensor({kOut, kIn}, "weight"), *scheme.weights),
                                         scheme.activations, segments});
  if (c.low_rank)
    linear.branches.push_back(
        LowRankBranch{bf16(random_tensor({8, kIn}, "down")), bf16(random_tensor({kOut, 8}, "up"))});
  return linear;
}

Tensor input() { return bf16(random_tensor({kTokens, kIn}, "input").clamp_min(-0.17)); }

// y and the sum of the magnitudes that make it, in double, from the decoded operands.
struct Exact {
  Tensor y, magnitude;
};
Exact exact(const CompressedLinear& linear, const Tensor& x) {
  const auto wide = [](const Tensor& t) { return t.to(at::kDouble); };
  const Tensor x_hat = linear.smooth.defined() ? x / linear.smooth : x;
  const LowBitBranch& low_bit = *linear.low_bit();
  const Tensor a =
      low_bit.activations ? fake_quantize(x, linear.smooth, *low_bit.activations, low_bit.segments) : x_hat;
  const Tensor w = wide(dequantize(low_bit.weight)).t();
  Exact out{at::mm(wide(a), w) + linear.bias,
            at::mm(wide(a).abs() + kGeluShift / 0.2, w.abs()) + linear.bias.abs()};
  if (const LowRankBranch* branch = linear.low_rank()) {
    const Tensor down = wide(branch->down).t(), up = wide(branch->up).t();
    out.y += at::mm(at::mm(wide(x_hat), down), up);
    out.magnitude += at::mm(at::mm(wide(x_hat).abs(), down.abs()), up.abs());
  }
  return out;
}

TEST(RunCompressed, BothExecutionsMeanTheSameOnEveryScheme) {
  const Tensor x = input();
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.name());
    const CompressedLinear linear = make(c);
    const Exact e = exact(linear, x);
    for (Execution execution : {Execution::kDequantized, Execution::kCodes}) {
      const Tensor y = run_compressed(linear, x, execution);
      ASSERT_EQ(y.sizes(), (std::vector<int64_t>{kTokens, kOut}));
      const Tensor ratio = (y - e.y).abs() / (FLT_EPSILON * e.magnitude);
      EXPECT_TRUE((ratio <= 4).all().item<bool>()) << "worst ratio " << ratio.max().item<double>();
    }
  }
}

TEST(RunCompressed, WithoutActivationQuantizersItIsTheEffectiveWeight) {
  const CompressedLinear linear = make({"w4a16-int4-g64", true, true, false});
  const Tensor expected =
      at::mm(input().to(at::kDouble), linear.effective_weight().to(at::kDouble).t()) + linear.bias;
  expect_close(run_compressed(linear, input(), Execution::kDequantized), expected, 16 * FLT_EPSILON);
}

TEST(RunCompressed, LowRankBranchSeesTheUnquantizedUnshiftedInput) {
  CompressedLinear linear = make({"int4", true, true, true});
  linear.branches.erase(linear.branches.begin());
  const Tensor h =
      at::mm((input() / linear.smooth).to(at::kDouble), linear.low_rank()->down.to(at::kDouble).t());
  const Tensor expected = at::mm(h, linear.low_rank()->up.to(at::kDouble).t()) + linear.bias;
  for (Execution execution : {Execution::kDequantized, Execution::kCodes})
    expect_close(run_compressed(linear, input(), execution), expected, 16 * FLT_EPSILON);
}

TEST(RunCompressed, SmoothingByOneIsNoSmoothing) {
  for (const char* scheme : {"int4", "nvfp4", "w8a8"}) {
    CompressedLinear linear = make({scheme, false, true, true});
    const Tensor y = run_compressed(linear, input(), Execution::kDequantized);
    linear.smooth = at::ones({kIn});
    expect_identical(run_compressed(linear, input(), Execution::kDequantized), y);
  }
}

TEST(RunCompressed, NoBiasAndNoTokens) {
  CompressedLinear linear = make({"int4", true, true, true});
  const Tensor with_bias = run_compressed(linear, input(), Execution::kCodes);
  const Tensor bias = linear.bias;
  linear.bias = Tensor();
  expect_close(run_compressed(linear, input(), Execution::kCodes) + bias, with_bias, 4 * FLT_EPSILON);
  for (Execution execution : {Execution::kDequantized, Execution::kCodes})
    EXPECT_EQ(run_compressed(linear, at::empty({0, kIn}), execution).sizes(),
              (std::vector<int64_t>{0, kOut}));
}

TEST(PreparedLinear, RunsFromManyThreadsAndAsAColumnView) {
  for (Execution execution : {Execution::kDequantized, Execution::kCodes}) {
    const PreparedLinear prepared(make({"int4", true, true, true}), execution);
    const Tensor expected = prepared.run(input());
    std::vector<Tensor> results(8);
    parallel_for(8, 4, [&](int64_t i, int) { results[i] = prepared.run(input()); });
    for (const Tensor& y : results) expect_identical(y, expected);
    const Tensor wide = at::cat({at::full({kTokens, 3}, NAN), input(), at::full({kTokens, 5}, NAN)}, 1);
    expect_identical(prepared.run(wide.slice(1, 3, 3 + kIn)), expected);
  }
}

TEST(PreparedLinear, RefusalsNameTheLinear) {
  CompressedLinear linear = make({"int4", false, false, false});
  Tensor x = input();
  x[4][2] = NAN;
  EXPECT_TRUE(throws_error([&] { run_compressed(linear, x, Execution::kDequantized); }, Errc::kInput,
                           {"'blocks.0.ff'", "x(4, 2) = nan"}));
  EXPECT_TRUE(throws_error([&] { run_compressed(linear, x.slice(1, 0, 64), Execution::kCodes); },
                           Errc::kInput, {"'blocks.0.ff'", "[tokens, 256]", "[9, 64]"}));
  std::get<LowBitBranch>(linear.branches[0]).segments = {{0, 32}, {32, kIn}};
  std::get<LowBitBranch>(linear.branches[0]).activations->tensor.group = 32;
  EXPECT_TRUE(throws_error([&] { run_compressed(linear, input(), Execution::kCodes); }, Errc::kConfig,
                           {"weight group 64", "[0, 32)"}));
}

}  // namespace
}  // namespace svdlab
