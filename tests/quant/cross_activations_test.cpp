#include "core/runtime/fake_quantize.h"
#include "tests/quant/activation_problems.h"

namespace svdlab {
namespace {

using testing::compress;
using testing::expect_codes_mean_the_same;
using testing::expect_identical;
using testing::OutlierGroup;
using testing::output_error;
using testing::symmetric_scheme;
using testing::throws_error;

constexpr const char* kTokenAlone = "activations: {cross: {alpha: 1}}";

struct Group : OutlierGroup {
  explicit Group(NumberFormat format) : OutlierGroup("cross", {64}, 256, "int4") {
    problem.scheme = symmetric_scheme(format, Grouping::kRow);
  }
  // Codes of the group's own tokens under a recipe, as integers.
  Tensor codes(const std::string& recipe) const {
    const CompressedLinear linear = compress(problem, recipe).linears[0];
    const LowBitBranch& branch = *linear.low_bit();
    const auto parts =
        quantize_input(x, linear.online(), *branch.activations, branch.segments, branch.ranges);
    Tensor c = parts.at(0).codes.to(at::kLong);
    const int64_t wrap = branch.activations->tensor.format == NumberFormat::kInt8 ? 256 : 16;
    return at::where(c >= wrap / 2, c - wrap, c);
  }
  // Squared error of the output when the input alone is rounded.
  double input_error(const std::string& recipe) const {
    const CompressedLinear linear = compress(problem, recipe).linears[0];
    const LowBitBranch& branch = *linear.low_bit();
    Tensor rounded = fake_quantize(x, linear.online(), *branch.activations, branch.segments);
    if (linear.smooth.defined()) rounded = rounded * linear.smooth;
    return (rounded - x).matmul(problem.weights[0].t()).square().sum(at::kDouble).item<double>();
  }
  double zero_share(const std::string& recipe) const {
    return (codes(recipe) == 0).to(at::kDouble).mean().item<double>();
  }
};

TEST(CrossActivations, NoValueOfCalibrationIsBeyondTheLargestCode) {
  for (const auto& [format, largest] : {std::pair{NumberFormat::kInt8, 127}, {NumberFormat::kInt4, 7}}) {
    const Group g(format);
    const CompressedLinear linear = compress(g.problem, "preset: crossquant").linears[0];
    const LowBitBranch& branch = *linear.low_bit();
    const Tensor scale = quantize_input(g.x, linear.online(), *branch.activations, branch.segments)[0].scales;
    // Before rounding and clamping; the channels' part is rounded to bf16.
    EXPECT_LE((g.x / linear.smooth / scale).abs().max().item<float>(), largest * (1 + 0x1p-8));
    EXPECT_EQ(g.codes("preset: crossquant").abs().max().item<int64_t>(), largest);
  }
}

TEST(CrossActivations, AlphaOneIsPerToken) {
  for (const NumberFormat format : {NumberFormat::kInt8, NumberFormat::kInt4}) {
    const Group g(format);
    expect_identical(g.codes(kTokenAlone), g.codes("preset: rtn"));
    EXPECT_EQ(output_error(g, kTokenAlone), output_error(g, "preset: rtn"));
  }
}

// The paper's "quantization kernel": small elements in tokens with an outlier keep a code of their own. (What
// the weight, multiplied by the channels' part, loses in turn is not in it.)
TEST(CrossActivations, FewerElementsAreRoundedToZeroAndTheOutputIsCloser) {
  for (const auto& [format, share] : {std::pair{NumberFormat::kInt8, 0.35}, {NumberFormat::kInt4, 0.7}}) {
    const Group g(format);
    const double cross = g.zero_share("preset: crossquant"), token = g.zero_share("preset: rtn");
    EXPECT_TRUE(cross < share * token) << cross << " " << token;
    const double error = g.input_error("preset: crossquant"), plain = g.input_error("preset: rtn");
    EXPECT_TRUE(error < 0.7 * plain) << error << " " << plain;
  }
}

TEST(CrossActivations, CodesMeanWhatTheyDecodeTo) {
  for (const NumberFormat format : {NumberFormat::kInt8, NumberFormat::kInt4}) {
    const Group g(format);
    expect_codes_mean_the_same(compress(g.problem, "preset: crossquant").linears[0], g.x);
  }
}

TEST(CrossActivations, RefusesWhatItsTokensDoNotBound) {
  Group g(NumberFormat::kInt8);
  const auto refuses = [&](const std::string& recipe, const std::vector<std::string>& parts) {
    return throws_error([&] { compress(g.problem, recipe); }, Errc::kConfig, parts);
  };
  EXPECT_TRUE(refuses("activations: cross", {"{smooth: {alpha: 0.85, beta: 0}}"}));
  EXPECT_TRUE(refuses("activations: {cross: {alpha: 0}}", {"alpha", "0"}));
  g.problem.scheme.activations->tensor.grouping = Grouping::kTensor;
  EXPECT_TRUE(refuses("preset: crossquant", {"grouping: row"}));
  g.problem.scheme = scheme_named("int4");
  EXPECT_TRUE(refuses("preset: crossquant", {"grouping: row"}));
  g.problem.scheme.activations->tensor.grouping = Grouping::kRow;
  EXPECT_TRUE(refuses("preset: crossquant", {"shift_after_gelu: false"}));
  g.problem.scheme.activations.reset();
  EXPECT_TRUE(refuses("preset: crossquant", {"activations cross", "16 bit"}));
}

}  // namespace
}  // namespace svdlab
