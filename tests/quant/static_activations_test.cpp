#include "tests/quant/activation_problems.h"

namespace svdlab {
namespace {

using testing::activations;
using testing::compress;
using testing::expect_close;
using testing::expect_codes_mean_the_same;
using testing::expect_identical;
using testing::OutlierGroup;
using testing::output_error;
using testing::random_tensor;
using testing::throws_error;

constexpr int64_t kChannels = 128;

// An input that is far from centred, with outlier channels.
struct Group : OutlierGroup {
  explicit Group(const Scheme& scheme) : OutlierGroup("static", {48}, kChannels, "int4") {
    x = (x + random_tensor({1, kChannels}, "static-mean").abs() * 3).to(at::kBFloat16).to(at::kFloat);
    stats = testing::stats_of(x);
    problem.scheme = scheme;
  }
};

Tensor ranges(const Group& g, const OnlineTransform& online, const std::string& options = "{}") {
  return activations("static", options)->fit(g.problem, online).ranges;
}

TEST(StaticActivations, TheRangeIsThatOfTheTransformedTokensForEverySegment) {
  Group g(testing::static_affine_scheme(NumberFormat::kInt8, 8));
  g.problem.segments = {{0, 32, Producer::kAttention}, {32, kChannels, Producer::kModulate}};
  const Tensor smooth = random_tensor({kChannels}, "static-s").abs() + 0.5,
               add = random_tensor({kChannels}, "a");
  const OnlineTransform online(smooth, {Offset{add}});
  const Tensor r = ranges(g, online), x = online.apply(g.x);
  ASSERT_EQ(r.sizes(), (std::vector<int64_t>{2, 2}));
  for (int64_t i = 0; i < 2; ++i) {
    const Segment s = g.problem.segments[i];
    const Tensor part = x.slice(1, s.begin, s.end);
    const double low = std::min(part.min().item<double>(), 0.0),
                 high = std::max(part.max().item<double>(), 0.0);
    expect_close(r[i][0].item<double>(), (high - low) / 255, 1e-6);
    EXPECT_EQ(r[i][1].item<double>(), std::nearbyint(-low / r[i][0].item<double>()));
  }
}

TEST(StaticActivations, SymmetricRangesReachTheLargestMagnitude) {
  Group g(testing::symmetric_scheme(NumberFormat::kInt8, Grouping::kTensor));
  const Tensor r = ranges(g, {});
  expect_close(r[0][0].item<double>(), g.x.abs().max().item<double>() / 127, 1e-6);
  EXPECT_EQ(r[0][1].item<float>(), 0);
}

TEST(StaticActivations, ThroughARotationTheReservoirIsWhatIsSeen) {
  Group g(testing::symmetric_scheme(NumberFormat::kInt8, Grouping::kTensor));
  const OnlineTransform online({}, {Hadamard{0, kChannels, kChannels, {}}});
  expect_close(ranges(g, online)[0][0].item<double>(), online.apply(g.x).abs().max().item<double>() / 127,
               1e-6);
}

TEST(StaticActivations, BehindGeluTheShiftedRangeIsUnsigned) {
  Group g(testing::symmetric_scheme(NumberFormat::kInt4, Grouping::kTensor));
  g.x = at::gelu(random_tensor({256, kChannels}, "static-gelu") * 2, "tanh").to(at::kBFloat16).to(at::kFloat);
  g.stats = testing::stats_of(g.x);
  g.problem.segments = {{0, kChannels, Producer::kGelu}};
  const double plain = output_error(g, "activations: static");
  g.problem.scheme.activations->shift_after_gelu = true;
  expect_close(ranges(g, {})[0][0].item<double>(), (g.x.max().item<double>() + kGeluShift) / 15, 1e-6);
  const GroupCompression c = compress(g.problem, "activations: static");
  expect_codes_mean_the_same(c.linears[0], g.x);
  EXPECT_LT(output_error(g, c), 0.7 * plain);
}

// Krishnamoorthi, section 3.2: integer products corrected by the zero points are what the decoded numbers
// give.
TEST(StaticActivations, IntegerProductsWithZeroPointCorrectionAreTheOutput) {
  const Group g(testing::static_affine_scheme(NumberFormat::kInt8, 8));
  const CompressedLinear linear = compress(g.problem, "preset: affine").linears[0];
  const LowBitBranch& branch = *linear.low_bit();
  ASSERT_EQ(branch.weight.scheme.format, NumberFormat::kAffine);
  const auto wide = [](const Tensor& t) { return t.to(at::kLong); };
  const Tensor scale = branch.ranges[0][0], zero = wide(branch.ranges[0][1]);
  const Tensor a = (g.x / scale + zero).round().clamp(0, 255).to(at::kLong), w = wide(branch.weight.codes);
  const Tensor wz = wide(branch.weight.zeros);  // [out, 1]
  const Tensor corrected =
      at::mm(a, w.t()) - zero * w.sum(1) - wz.t() * a.sum(1, true) + kChannels * zero * wz.t();
  const Tensor y = corrected.to(at::kDouble) * scale * branch.weight.scales.t();
  expect_close(run_compressed(linear, g.x, Execution::kCodes), y, 1e-6);
  expect_codes_mean_the_same(linear, g.x);
  EXPECT_EQ(linear.bits(), branch.weight.bits() + 64);
}

TEST(StaticActivations, EightBitsAreNearSixteenAndFourAreNot) {
  const Group eight(testing::static_affine_scheme(NumberFormat::kInt8, 8)),
      four(testing::static_affine_scheme(NumberFormat::kInt4, 4));
  const double error8 = output_error(eight, "preset: affine"), error4 = output_error(four, "preset: affine");
  EXPECT_TRUE(error8 < 5e-3) << error8;
  EXPECT_TRUE(error4 > 10 * error8) << error4 << " " << error8;
}

TEST(StaticActivations, AnAffineRangeIsFinerWhereTheInputIsNotCentred) {
  Group affine(testing::static_affine_scheme(NumberFormat::kInt8, 4));
  Group symmetric(testing::symmetric_scheme(NumberFormat::kInt8, Grouping::kTensor));
  symmetric.problem.scheme.activations->tensor.format = NumberFormat::kInt4;
  for (Group* g : {&affine, &symmetric}) {
    g->x = random_tensor({256, kChannels}, "static-positive").abs();
    g->stats = testing::stats_of(g->x);
  }
  EXPECT_LT(output_error(affine, "activations: static"),
            0.5 * output_error(symmetric, "activations: static"));
}

// Quamba: clipping at a percentile serves most values and harms the few; the squared error rises.
TEST(StaticActivations, APercentileLowersTheTypicalErrorAndRaisesTheSquaredOne) {
  Group g(testing::symmetric_scheme(NumberFormat::kInt8, Grouping::kTensor));
  const Tensor heavy = random_tensor({1024, kChannels}, "heavy").pow(3);
  g.stats = testing::stats_of(heavy);
  const auto error = [&](const std::string& options) {
    const ActivationFit fit = activations("static", options)->fit(g.problem, {});
    return (fake_quantize(heavy, {}, fit.scheme, g.problem.segments, fit.ranges) - heavy).abs();
  };
  const Tensor all = error("{}"), clipped = error("{percentile: 0.9995}");
  EXPECT_LT(clipped.median().item<double>(), 0.7 * all.median().item<double>());
  EXPECT_GT(clipped.square().mean().item<double>(), all.square().mean().item<double>());
  const double range = ranges(g, {}, "{percentile: 0.9995}")[0][0].item<double>() * 127;
  const double beyond = (heavy.abs() > range).to(at::kDouble).mean().item<double>();
  EXPECT_TRUE(beyond <= 0.0005 && beyond > 0.0003) << beyond;
}

TEST(StaticActivations, RefusesWhatHasNoSingleRange) {
  Group g(testing::symmetric_scheme(NumberFormat::kInt8, Grouping::kRow));
  const auto refuses = [&](const std::string& options, const std::vector<std::string>& parts) {
    return throws_error([&] { ranges(g, {}, options); }, Errc::kConfig, parts);
  };
  EXPECT_TRUE(refuses("{}", {"grouping: tensor"}));
  EXPECT_TRUE(refuses("{percentile: 0.4}", {"activations.static.percentile", "0.4"}));
  g.problem.scheme = testing::static_affine_scheme(NumberFormat::kInt8, 8);
  EXPECT_TRUE(refuses("{step: 1}", {"step", "repq"}));
  g.problem.scheme.activations->shift_after_gelu = true;
  EXPECT_TRUE(refuses("{}", {"drop shift_after_gelu"}));
  EXPECT_TRUE(throws_error([&] { compress(g.problem, "weights: rtn"); }, Errc::kConfig));
}

TEST(StaticActivations, NeedsStatistics) {
  Group g(testing::static_affine_scheme(NumberFormat::kInt8, 8));
  g.problem.stats = nullptr;
  EXPECT_TRUE(
      throws_error([&] { compress(g.problem, "preset: affine"); }, Errc::kConfig, {"activations static"}));
}

}  // namespace
}  // namespace svdlab
