// Ways to round a linear's input on the embedded model's real layers: what each promises, with activations in
// codes, and that it helps where it says so.
#include "core/runtime/compressed_linear.h"
#include "core/runtime/fake_quantize.h"
#include "tests/quality/embedded_groups.h"

namespace svdlab {
namespace {

using testing::EmbeddedGroups;
using testing::expect_close;

constexpr const char* kSmooth = "transform: {smooth: {grid: 6}}";

Scheme per_token(NumberFormat format) {
  const TensorScheme row{
      .format = format, .grouping = Grouping::kRow, .group = 0, .scale = ScaleFormat::kFp32};
  return {"per-token", row, ActivationScheme{row}};
}

Scheme per_tensor(NumberFormat format, int bits) {
  Scheme scheme = per_token(format);
  scheme.name = "per-tensor";
  scheme.activations->tensor.grouping = Grouping::kTensor;
  scheme.activations->tensor.format = NumberFormat::kAffine;
  scheme.activations->tensor.bits = bits;
  return scheme;
}

Tensor output16(const LinearSpec& spec, const Tensor& x) {
  const Tensor y = x.matmul(spec.weight.to(at::kFloat).t());
  return spec.bias.defined() ? y + spec.bias.to(at::kFloat) : y;
}

// One fixture, one test: every test is a process of its own and would calibrate again.
class ActivationMethods : public ::testing::Test {
 protected:
  ActivationMethods() : groups_(/*pairs=*/4) {
    CalibrationOptions options{.pairs = 12, .pairs_per_item = 4, .tokens = 256, .threads = 2};
    options.time_ranges = 2;
    stats_ = groups_.inputs(options);
  }

  const LinearSpec& spec(const std::string& name) const {
    return groups_.model.graph.linears[groups_.model.graph.linear_index(name)];
  }

  // Every linear of every job with its group.
  std::vector<std::pair<CompressedLinear, std::string>> compressed(const std::string& recipe,
                                                                   const Scheme& scheme) const {
    Plan plan = EmbeddedGroups::plan("w8a8", recipe);
    plan[1].scheme = scheme;
    std::vector<std::pair<CompressedLinear, std::string>> out;
    for (const CompressionJob& job : groups_.jobs(plan)) {
      const GroupCompression c = run_job(groups_.model.graph, stats_, job, {});
      for (size_t i = 0; i < c.linears.size(); ++i) out.emplace_back(c.linears[i], c.log[i].group);
    }
    EXPECT_GE(out.size(), 3u);
    return out;
  }

  // Relative squared output errors on calibration tokens, summed; in codes the output must be the same.
  double error(const std::string& recipe, const Scheme& scheme) const {
    double sum = 0;
    for (const auto& [linear, group] : compressed(recipe, scheme)) {
      const Tensor x = stats_.at(group).reservoir, few = x.slice(0, 0, 16).contiguous();
      const Tensor y = output16(spec(linear.name), x), q = run_compressed(linear, x, Execution::kDequantized);
      expect_close(run_compressed(linear, few, Execution::kCodes), q.slice(0, 0, 16), 1e-5);
      sum += ((q - y).square().sum(at::kDouble) / y.square().sum(at::kDouble)).item<double>();
    }
    return sum;
  }

  void static_ranges() const {
    const Scheme eight = per_tensor(NumberFormat::kInt8, 8), four = per_tensor(NumberFormat::kInt4, 4);
    const double affine8 = error("preset: affine", eight), affine4 = error("preset: affine", four);
    EXPECT_LT(affine8, 0.02);
    EXPECT_LT(error("preset: repq", eight), affine8);
    EXPECT_LT(error("preset: repq", four), 0.8 * affine4);
  }

  // Share of the inputs' elements that are rounded to zero, averaged over linears.
  double zero_share(const std::string& recipe, const Scheme& scheme) const {
    const auto all = compressed(recipe, scheme);
    double sum = 0;
    for (const auto& [linear, group] : all) {
      const LowBitBranch& branch = *linear.low_bit();
      for (const SegmentCodes& part : quantize_input(stats_.at(group).reservoir, linear.online(),
                                                     *branch.activations, branch.segments, branch.ranges))
        sum += (part.codes == 0).to(at::kDouble).sum().item<double>() /
               static_cast<double>(stats_.at(group).reservoir.numel());
    }
    return sum / static_cast<double>(all.size());
  }

  // The output is no closer here: outliers are mild, and weights pay for the channels' part of the steps.
  void cross() const {
    for (const NumberFormat format : {NumberFormat::kInt8, NumberFormat::kInt4}) {
      Scheme scheme = per_token(NumberFormat::kInt8);
      scheme.activations->tensor.format = format;
      const double cross = zero_share("preset: crossquant", scheme),
                   token = zero_share("preset: rtn", scheme);
      EXPECT_TRUE(cross < token) << cross << " " << token;
      EXPECT_LT(error("preset: crossquant", scheme), 2 * error("preset: rtn", scheme));
    }
  }

  void noise() const {
    for (const char* name : {"int4", "nvfp4"}) {
      const Plan plan = EmbeddedGroups::plan(name, "preset: noisyquant");
      for (const CompressionJob& job : groups_.jobs(plan)) {
        const std::vector<SearchStep> tried =
            run_job(groups_.model.graph, stats_, job, {}).log.front().search;
        ASSERT_EQ(tried.size(), 9u);
        for (const SearchStep& step : tried)
          EXPECT_TRUE(!step.chosen || step.error <= tried.front().error) << name << " " << step.error;
      }
    }
  }

  // Of each range's own tokens.
  double error_by_range(const std::string& recipe) const {
    double sum = 0;
    for (const auto& [linear, group] : compressed(recipe, per_token(NumberFormat::kInt4)))
      for (const TimestepStats& range : stats_.at(group).ranges) {
        const Tensor& x = range.stats.reservoir;
        const Tensor y = output16(spec(linear.name), x);
        const Tensor q = run_compressed(linear, x, Execution::kDequantized, range.upper);
        sum += ((q - y).square().sum(at::kDouble) / y.square().sum(at::kDouble)).item<double>();
      }
    return sum;
  }

  EmbeddedGroups groups_;
  StatsMap stats_;
};

TEST_F(ActivationMethods, KeepTheirPromisesOnRealLayers) {
  static_ranges();
  cross();
  noise();
  EXPECT_LE(error_by_range(concat("{", kSmooth, ", timesteps: ranges}")), error_by_range(kSmooth));
}

}  // namespace
}  // namespace svdlab
