// The smoothing transforms beside `smooth`: closed_form_smoothing, awq_lite, and what they share.
#include "quant/smoothing.h"

#include "core/io/yaml.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::random_tensor;

constexpr int64_t kChannels = 64;

TransformFit fit(const std::string& name, const std::vector<GroupProblem>& problems,
                 const std::string& yaml = "{}", const TransformScore& score = nullptr) {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "transform." + name);
  const auto transform = transforms().at(name)(fields);
  fields.finish();
  return transform->fit(problems, score);
}

class Smoothing : public ::testing::Test {
 protected:
  Smoothing() : problems_(1) {
    const Tensor x = random_tensor({512, kChannels}, "smoothing-x") * at::logspace(-1, 1, kChannels);
    stats_.add(x, at::arange(512));
    GroupProblem& p = problems_[0];
    p.name = "group";
    p.weights = {random_tensor({32, kChannels}, "smoothing-w") * at::logspace(0.5, -0.5, kChannels).flip(0)};
    p.segments = {{0, kChannels, Producer::kModulate}};
    p.scheme = scheme_named("int4");
    p.stats = &stats_;
  }
  Tensor input_rms() const { return (stats_.gram.diagonal() / 512.0).sqrt(); }

  ActivationStats stats_;
  std::vector<GroupProblem> problems_;
};

TEST_F(Smoothing, ClosedFormIsTheFourthRootOfTheEnergyRatio) {
  const Tensor w = problems_[0].weights[0].to(at::kDouble);
  const Tensor expected = (input_rms().square() / w.square().sum(0)).pow(0.25);
  const Tensor s = fit("closed-form", problems_).online.smooth.to(at::kDouble);
  expect_close(s / s[0], expected / expected[0], 4e-3);  // bf16
  EXPECT_NEAR(s.log().mean().item<double>(), 0, 1e-3);
}

// The product it minimises, evaluated directly: no other vector is better.
TEST_F(Smoothing, ClosedFormMinimisesTheProductOfEnergies) {
  const Tensor w = problems_[0].weights[0].to(at::kDouble);
  const auto cost = [&](const Tensor& smooth) {
    const Tensor s = smooth.to(at::kDouble);
    return (input_rms() / s).square().sum().item<double>() * (w * s).square().sum().item<double>();
  };
  const Tensor s = fit("closed-form", problems_).online.smooth;
  const double least = cost(s);
  EXPECT_TRUE(least < 0.9 * cost(at::ones({kChannels})));
  for (int i = 0; i < 20; ++i) {
    const Tensor other = s * (1 + 0.2 * random_tensor({kChannels}, concat("other-", i))).abs();
    EXPECT_TRUE(least <= cost(other) * (1 + 1e-5)) << i;
  }
}

TEST_F(Smoothing, ClosedFormSeesWhatAnUnsignedSchemeQuantizes) {
  const Tensor plain = fit("closed-form", problems_).online.smooth;
  problems_[0].segments = {{0, kChannels, Producer::kGelu}};
  const Tensor shifted = fit("closed-form", problems_).online.smooth;
  const Tensor h = input_rms().square(), w = problems_[0].weights[0].to(at::kDouble).square().sum(0);
  const Tensor moved = h + 2 * kGeluShift * stats_.mean() + double{kGeluShift} * kGeluShift;
  const Tensor expected = (moved / w).pow(0.25);
  const Tensor got = shifted.to(at::kDouble);
  expect_close(got / got[5], expected / expected[5], 4e-3);
  EXPECT_FALSE(at::equal(plain, shifted));
}

TEST_F(Smoothing, ClosedFormOptionsAreChecked) {
  EXPECT_FALSE(at::equal(fit("closed-form", problems_, "{p: 8}").online.smooth,
                         fit("closed-form", problems_).online.smooth));
  EXPECT_TRUE(testing::throws_error([&] { fit("closed-form", problems_, "{p: 0}"); }, Errc::kConfig,
                                    {"transform.closed-form.p", "0"}));
}

TEST_F(Smoothing, ClosedFormWithoutAnyRangeIsOne) {
  problems_[0].weights[0].zero_();
  expect_identical(fit("closed-form", problems_).online.smooth, at::ones({kChannels}));
}

TEST_F(Smoothing, AwqLiteOffersElevenVectorsThroughTheQuantizersAlone) {
  std::vector<Tensor> seen;
  const TransformFit f =
      fit("awq-lite", problems_, "{}", [&](const std::vector<OnlineTransform>& candidates, Through through) {
        EXPECT_EQ(through, Through::kQuantizers);
        for (const OnlineTransform& c : candidates) seen.push_back(c.smooth);
        std::vector<double> errors(candidates.size(), 2.0);
        errors[7] = 1;
        return errors;
      });
  ASSERT_EQ(seen.size(), 11u);
  expect_identical(f.online.smooth, seen[7]);
  EXPECT_EQ(f.tried[7].alpha, 0.7);
  EXPECT_TRUE(f.tried[7].chosen);
  EXPECT_FALSE(f.tried[6].chosen);
  // a = 1: the mean magnitude alone, scaled so that smallest times largest is 1.
  const Tensor mean = stats_.reservoir.abs().mean(0).to(at::kDouble);
  expect_close(seen[10], mean / (mean.max() * mean.min()).sqrt(), 4e-3);
  for (const Tensor& s : seen) EXPECT_NEAR((s.max() * s.min()).item<double>(), 1, 1e-2);
}

TEST_F(Smoothing, BestIsTheFirstSmallestFiniteOne) {
  const double nan = std::nan("");
  const std::vector<OnlineTransform> candidates = {at::full({1}, 1), at::full({1}, 2), at::full({1}, 3),
                                                   at::full({1}, 4)};
  const auto best = [&](const std::vector<double>& errors) {
    const TransformFit found = best_smoothing(
        problems_, [&](const auto&, Through) { return errors; }, Through::kRecipe, candidates,
        std::vector<SearchStep>(4));
    return found.online.smooth.item<double>();
  };
  EXPECT_EQ(best({3, 2, 2, 5}), 2);
  EXPECT_EQ(best({nan, 4, nan, 3}), 4);
  EXPECT_EQ(best({nan, nan, 7, nan}), 3);
  EXPECT_TRUE(testing::throws_error([&] { best({nan, nan, nan, nan}); }, Errc::kInput, {"group"}));
}

TEST(StoredSmoothing, HoldsBf16ValuesAndOneWhereThereIsNoRange) {
  const Tensor s = stored_smoothing(at::tensor(
      {3.14159, 0.0, -2.0, std::numeric_limits<double>::infinity(), std::nan(""), 1e-3}, at::kDouble));
  EXPECT_EQ(s[0].item<float>(), 3.140625f);
  for (int i = 1; i < 5; ++i) EXPECT_EQ(s[i].item<float>(), 1.0f);
  expect_identical(s, s.to(at::kBFloat16).to(at::kFloat));
}

}  // namespace
}  // namespace svdlab
