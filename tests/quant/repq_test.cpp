#include "quant/affine_range.h"
#include "quant/transform.h"
#include "tests/quant/activation_problems.h"

namespace svdlab {
namespace {

using testing::compress;
using testing::expect_close;
using testing::expect_codes_mean_the_same;
using testing::OutlierGroup;
using testing::output_error;
using testing::static_affine_scheme;
using testing::throws_error;

constexpr int64_t kChannels = 128;

// Channels of different magnitudes and means.
struct Group : OutlierGroup {
  explicit Group(int bits) : OutlierGroup("repq", {48, 32}, kChannels, "int4") {
    x = (x + testing::random_tensor({1, kChannels}, "repq-mean") * 4).to(at::kBFloat16).to(at::kFloat);
    stats = testing::stats_of(x);
    problem.scheme = static_affine_scheme(bits == 8 ? NumberFormat::kInt8 : NumberFormat::kInt4, bits);
  }
};

TEST(RepQ, TheProductIsThatOfSixteenBit) {
  const Group g(8);
  const Value none = Value::map();
  Fields fields(none, "transform");
  const OnlineTransform online = transforms().at("repq")(fields)->fit({&g.problem, 1}, nullptr).online;
  for (const Tensor& w : g.problem.weights) {
    const Tensor folded = online.weight(w.to(at::kDouble));
    const Tensor x = online.apply_linear(g.x.to(at::kDouble)) + online.constant(kChannels);
    const Tensor y = at::mm(x, folded.t()) - at::mv(folded, online.constant(kChannels).to(at::kDouble));
    expect_close(y, at::mm(g.x.to(at::kDouble), w.to(at::kDouble).t()), 1e-13);
  }
}

// Because the zero point of the tensor is an integer; only a value half way between two codes may go either
// way.
TEST(RepQ, CodesAreThoseOfEveryChannelsOwnQuantizer) {
  for (const int bits : {8, 4}) {
    const Group g(bits);
    const CompressedLinear linear = compress(g.problem, "preset: repq").linears[0];
    const LowBitBranch& branch = *linear.low_bit();
    const AffineRange own = affine_range(g.stats.min, g.stats.max, bits, ScaleFormat::kBf16);
    const Tensor quotient = g.x.to(at::kDouble) / own.scale;
    const Tensor expected = (quotient.round() + own.zero).clamp(0, (1 << bits) - 1).to(at::kLong);
    const Tensor codes =
        quantize_input(g.x, linear.online(), *branch.activations, branch.segments, branch.ranges)[0].codes.to(
            at::kLong);
    const Tensor to_a_tie = ((quotient - quotient.floor()) - 0.5).abs(), differs = codes != expected;
    EXPECT_LT(differs.to(at::kDouble).mean().item<double>(), 0.01);
    EXPECT_FALSE(differs.logical_and(to_a_tie > 1e-4).any().item<bool>());
  }
}

// With the means for scale and zero point, as the paper's program has it, codes differ.
TEST(RepQ, AMeanZeroPointWouldNotKeepTheCodes) {
  const Group g(4);
  const AffineRange own = affine_range(g.stats.min, g.stats.max, 4, ScaleFormat::kFp32);
  const double zero = own.zero.mean().item<double>();
  const Tensor quotient = g.x.to(at::kDouble) / own.scale;
  const Tensor by_channel = (quotient.round() + own.zero).clamp(0, 15);
  const Tensor by_tensor = ((quotient + own.zero - zero).round() + std::nearbyint(zero)).clamp(0, 15);
  EXPECT_GT((by_channel != by_tensor).to(at::kDouble).mean().item<double>(), 0.1);
}

// Of the output when the input alone is rounded; what the scaled weight loses in turn is in the second.
TEST(RepQ, ErrsLessThanOneRangeForAllChannels) {
  for (const int bits : {8, 4}) {
    const Group g(bits);
    const auto input_error = [&](const std::string& recipe) {
      const CompressedLinear linear = compress(g.problem, recipe).linears[0];
      const LowBitBranch& branch = *linear.low_bit();
      Tensor x = fake_quantize(g.x, linear.online(), *branch.activations, branch.segments, branch.ranges);
      if (linear.smooth.defined()) x = (x - linear.online().constant(kChannels)) * linear.smooth;
      return (x - g.x).matmul(g.problem.weights[0].t()).square().sum(at::kDouble).item<double>();
    };
    const double input = input_error("preset: repq"), input_plain = input_error("preset: affine");
    EXPECT_TRUE(input < 0.3 * input_plain) << bits << ": " << input << " " << input_plain;
    const double repq = output_error(g, "preset: repq"), plain = output_error(g, "preset: affine");
    EXPECT_TRUE(repq < plain) << bits << ": " << repq << " " << plain;
  }
}

TEST(RepQ, CodesMeanWhatTheyDecodeToAlsoBesideABranch) {
  for (const char* more : {"", ", driver: svdquant, low_rank: {rank: 4}"}) {
    const Group g(4);
    const GroupCompression c = compress(g.problem, concat("{preset: repq", more, "}"));
    for (const CompressedLinear& linear : c.linears) expect_codes_mean_the_same(linear, g.x);
    EXPECT_TRUE(output_error(g, c) < 0.2) << output_error(g, c);
  }
}

TEST(RepQ, ASilentChannelIsSafe) {
  Group g(8);
  g.x.select(1, 3).zero_();
  g.stats = testing::stats_of(g.x);
  const CompressedLinear linear = compress(g.problem, "preset: repq").linears[0];
  EXPECT_EQ(linear.smooth[3].item<float>(), 1);
  EXPECT_TRUE(run_compressed(linear, g.x, Execution::kCodes).isfinite().all().item<bool>());
}

TEST(RepQ, RefusesInputsWithoutZeroPoints) {
  Group g(8);
  g.problem.scheme = scheme_named("int4");
  EXPECT_TRUE(throws_error([&] { compress(g.problem, "preset: repq"); }, Errc::kConfig,
                           {"repq", "format: affine", "grouping: tensor"}));
}

}  // namespace
}  // namespace svdlab
