#include "quant/transform.h"
#include "tests/quant/activation_problems.h"

namespace svdlab {
namespace {

using testing::compress;
using testing::expect_close;
using testing::expect_codes_mean_the_same;
using testing::expect_identical;
using testing::OutlierGroup;
using testing::output_error;
using testing::throws_error;

std::unique_ptr<Transform> noisy(const std::string& yaml) {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "transform.noisy");
  auto transform = transforms().at("noisy")(fields);
  fields.finish();
  return transform;
}

Tensor noise_of(const GroupProblem& problem, const std::string& yaml) {
  const OnlineTransform online = noisy(yaml)->fit({&problem, 1}, nullptr).online;
  return online.then.empty() ? Tensor() : std::get<Offset>(online.then.at(0)).add;
}

// Inputs that lie alike in every token, where rounding errs alike too.
struct Group : OutlierGroup {
  explicit Group(const std::string& scheme = "int4") : OutlierGroup("noisy", {64, 32}, 128, scheme) {}
};

TEST(Noisy, NoiseFollowsItsLawInStepsOfItsColumns) {
  OutlierGroup g("noisy-law", {8}, 4096, "int4", 32);
  Tensor step = at::empty({4096});
  for (int64_t k = 0; k < 4096; k += 64)
    step.slice(0, k, k + 64).fill_(g.stats.absmax.slice(0, k, k + 64).max() / 7);
  const Tensor uniform = noise_of(g.problem, "{range: 0.5}") / step,
               gaussian = noise_of(g.problem, "{range: 0.5, law: gaussian}") / step;
  EXPECT_LE(uniform.abs().max().item<float>(), 0.5 * (1 + 0x1p-8));
  expect_close(uniform.var().item<double>(), 1.0 / 12, 0.05);
  expect_close(gaussian.std().item<double>(), 0.5, 0.05);
  EXPECT_GT(gaussian.abs().max().item<float>(), 1.2);
  EXPECT_LT(std::abs(uniform.mean().item<double>()), 0.02);
}

// The paper's theorem: with noise over one step the mean squared error is step^2 / 12 whatever x is; without,
// it is that of x, from 0 to step^2 / 4.
TEST(Noisy, TheErrorIsATwelfthOfASquaredStepForEveryValue) {
  const int64_t draws = 4096;
  OutlierGroup g("noisy-theorem", {8}, draws, "w8a8", 32);
  g.problem.scheme.activations->tensor.grouping = Grouping::kTensor;
  const Tensor noise = noise_of(g.problem, "{range: 0.5}") / (g.stats.absmax.max() / 127);
  for (const double x : {0.0, 0.2, 0.5, 0.7}) {
    const Tensor error = (noise + x).round() - noise - x;
    expect_close(error.square().mean().item<double>(), 1.0 / 12, 0.06);
  }
}

TEST(Noisy, TheBiasTakesOffWhatTheNoiseAdds) {
  const Group g;
  const GroupCompression c = compress(g.problem, "transform: {noisy: {range: 0.5}}");
  for (const CompressedLinear& linear : c.linears) {
    const LowBitBranch& branch = *linear.low_bit();
    const Tensor noise = std::get<Offset>(linear.then.at(0)).add;
    const Tensor rounded = fake_quantize(g.x, linear.online(), *branch.activations, branch.segments);
    const Tensor explicit_form =
        at::mm((rounded - noise).to(at::kDouble), dequantize(branch.weight).to(at::kDouble).t());
    expect_close(run_compressed(linear, g.x, Execution::kDequantized), explicit_form, 1e-5);
    expect_codes_mean_the_same(linear, g.x);
    EXPECT_EQ(linear.bits(), branch.weight.bits() + 16 * 128 / 2.0);  // the noise, shared by two
  }
}

TEST(Noisy, TheSearchIsNeverWorseThanNoNoise) {
  for (const char* scheme : {"int4", "w8a8", "nvfp4"})
    for (const char* preset : {"noisyquant", "noisyquant-gaussian"}) {
      const Group g(scheme);
      const GroupCompression c = compress(g.problem, concat("preset: ", preset));
      EXPECT_LE(output_error(g, c), output_error(g, "preset: rtn") * (1 + 1e-6)) << scheme << " " << preset;
      ASSERT_EQ(c.log[0].search.size(), 9u);
      for (const SearchStep& step : c.log[0].search) {
        double best = step.error;
        for (const SearchStep& other : c.log[0].search) best = std::min(best, other.error);
        EXPECT_EQ(step.chosen && step.error > best, false);
      }
    }
}

TEST(Noisy, HelpsWhereRoundingErrsAlikeInEveryToken) {
  // Values near the middle between two codes of a range that one channel sets.
  OutlierGroup g("noisy-alike", {64}, 64, "w8a8", 256);
  g.problem.scheme.activations->tensor = {
      .format = NumberFormat::kInt4, .grouping = Grouping::kRow, .group = 0, .scale = ScaleFormat::kFp32};
  g.x = testing::random_tensor({256, 64}, "alike") * 0.02 + 0.45;
  g.x.select(1, 9).fill_(7);
  g.stats = testing::stats_of(g.x);
  EXPECT_LT(output_error(g, "preset: noisyquant"), 0.7 * output_error(g, "preset: rtn"));
}

TEST(Noisy, RangeZeroIsNoTransformAndSeedsDiffer) {
  const Group g;
  EXPECT_FALSE(noise_of(g.problem, "{range: 0}").defined());
  expect_identical(noise_of(g.problem, "{range: 1}"), noise_of(g.problem, "{range: 1}"));
  EXPECT_FALSE(noise_of(g.problem, "{range: 1}").equal(noise_of(g.problem, "{range: 1, seed: 1}")));
}

TEST(Noisy, GoesWithSmoothingAndABranch) {
  const Group g;
  const std::string smooth = "{preset: svdquant, transform: {smooth: {alpha: 0.5, beta: 0.5}}}",
                    both = "{preset: svdquant, transform: {noisy: {alpha: 0.5, beta: 0.5}}}";
  const GroupCompression c = compress(g.problem, both);
  EXPECT_LE(output_error(g, c), output_error(g, smooth) * (1 + 1e-6));
  ASSERT_TRUE(c.linears[0].smooth.defined());
  for (const CompressedLinear& linear : c.linears) expect_codes_mean_the_same(linear, g.x);
}

TEST(Noisy, RefusesWhatItCannotDo) {
  const Group weight_only("w4a16-int4-g64");
  EXPECT_TRUE(throws_error([&] { compress(weight_only.problem, "preset: noisyquant"); }, Errc::kConfig,
                           {"noisy", "w4a16-int4-g64"}));
  EXPECT_TRUE(throws_error([] { noisy("{law: cauchy}"); }, Errc::kConfig, {"uniform or gaussian", "cauchy"}));
  EXPECT_TRUE(throws_error([] { noisy("{range: -1}"); }, Errc::kConfig, {"transform.noisy.range", "-1"}));
  EXPECT_TRUE(throws_error([] { noisy("{grid: 0}"); }, Errc::kConfig, {"transform.noisy.grid", "0"}));
}

}  // namespace
}  // namespace svdlab
