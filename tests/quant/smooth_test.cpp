#include "core/io/yaml.h"
#include "quant/transform.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_identical;

Tensor bf16(const Tensor& t) { return t.to(at::kFloat).to(at::kBFloat16).to(at::kFloat); }

std::unique_ptr<Transform> smooth(const std::string& yaml) {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "transform.smooth");
  auto transform = transforms().at("smooth")(fields);
  fields.finish();
  return transform;
}

// Two groups of two channels; spans over both: input {16, 4}, weight {1, 0.25}.
class Smooth : public ::testing::Test {
 protected:
  Smooth() : problems_(2) {
    const Tensor inputs[] = {at::tensor({16.0f, 1.0f}), at::tensor({2.0f, 4.0f})};
    const Tensor weights[] = {at::tensor({0.5f, -0.25f, -1.0f, 0.0f}),
                              at::tensor({0.25f, 0.125f, 0.0f, 0.0f})};
    for (int i = 0; i < 2; ++i) {
      stats_[i].absmax = inputs[i];
      problems_[i].weights = {weights[i].reshape({2, 2})};
      problems_[i].stats = &stats_[i];
    }
  }
  using Single = std::function<double(const Tensor&)>;
  TransformFit whole_fit(const std::string& yaml, const Single& score = nullptr) const {
    return smooth(yaml)->fit(problems_, [&](const std::vector<OnlineTransform>& candidates, Through through) {
      EXPECT_EQ(through, Through::kRecipe);
      std::vector<double> errors;
      for (const OnlineTransform& c : candidates) errors.push_back(score(c.smooth));
      return errors;
    });
  }
  Tensor fit(const std::string& yaml, const Single& score = nullptr) const {
    return whole_fit(yaml, score).online.smooth;
  }

  ActivationStats stats_[2];
  std::vector<GroupProblem> problems_;
};

TEST_F(Smooth, FixedExponentsFollowTheFormulaOverAllGroups) {
  expect_identical(fit("{alpha: 0.5, beta: 0.5}"), at::tensor({4.0f, 4.0f}));
  expect_identical(fit("{}"), at::tensor({4.0f, 4.0f}));
  expect_identical(fit("{alpha: 0.25, beta: 0}"), bf16(at::tensor({2.0f, 1.41421356f})));
  expect_identical(fit("{alpha: 0, beta: 1}"), at::tensor({1.0f, 4.0f}));
}

TEST_F(Smooth, BehindGeluTheShiftedInputIsWhatHasASpan) {
  for (GroupProblem& p : problems_) {
    p.scheme = scheme_named("int4");
    p.segments = {{0, 1, Producer::kAttention}, {1, 2, Producer::kGelu}};
  }
  for (ActivationStats& s : stats_) {
    s.min = at::tensor({-16.0f, -0.171875f});
    s.max = at::tensor({1.0f, 0.078125f});
    s.absmax = at::tensor({16.0f, 0.171875f});
  }
  expect_identical(fit("{alpha: 1, beta: 0}"), at::tensor({16.0f, 0.25f}));
  for (GroupProblem& p : problems_) p.scheme = scheme_named("nvfp4");
  expect_identical(fit("{alpha: 1, beta: 0}"), at::tensor({16.0f, 0.171875f}));
}

TEST_F(Smooth, RefusesToChooseAmongNaNs) {
  EXPECT_TRUE(testing::throws_error([&] { fit("{grid: 4}", [](const Tensor&) { return std::nan(""); }); },
                                    Errc::kInput, {"no candidate", "finite"}));
}

TEST_F(Smooth, ChannelsWithoutRangeAreLeftAlone) {
  for (ActivationStats& s : stats_) s.absmax[0] = 0;
  expect_identical(fit("{alpha: 0.5, beta: 0.5}"), at::tensor({1.0f, 4.0f}));
  for (GroupProblem& p : problems_) p.weights[0].select(1, 1).zero_();
  expect_identical(fit("{alpha: 0.5, beta: 0.5}"), at::tensor({1.0f, 1.0f}));
}

TEST_F(Smooth, GridOffersNoneThenInputOnlyThenBalanced) {
  std::vector<Tensor> seen;
  fit("{grid: 20}", [&](const Tensor& s) { return seen.push_back(s), 1.0; });
  ASSERT_EQ(seen.size(), 39u);
  EXPECT_FALSE(seen[0].defined());
  const Tensor input = at::tensor({16.0, 4.0}, at::kDouble), weight = at::tensor({1.0, 0.25}, at::kDouble);
  for (int i = 1; i < 20; ++i) {
    expect_identical(seen[i], bf16(input.pow(i / 20.0)));
    expect_identical(seen[19 + i], bf16(input.pow(i / 20.0) / weight.pow(1 - i / 20.0)));
  }
}

TEST_F(Smooth, GridTakesTheSmallestAndTheFirstOfEquals) {
  const auto distance_to = [](float target) {
    return [target](const Tensor& s) { return std::abs((s.defined() ? s[0].item<float>() : 1.0f) - target); };
  };
  expect_identical(fit("{grid: 2}", distance_to(4)),
                   at::tensor({4.0f, 2.0f}));  // (0.5, 0), equal on channel 0 to the last
  EXPECT_FALSE(fit("{grid: 2}", distance_to(1)).defined());
  EXPECT_FALSE(fit("{grid: 20}", [](const Tensor&) { return 7.0; }).defined());
}

TEST_F(Smooth, NanScoresNeverWin) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor s =
      fit("{grid: 2}", [&](const Tensor& c) { return c.defined() && c[1].item<float>() == 2 ? 5.0 : nan; });
  ASSERT_TRUE(s.defined());
  expect_identical(s, at::tensor({4.0f, 2.0f}));
}

TEST_F(Smooth, TheSearchIsReported) {
  EXPECT_TRUE(whole_fit("{}").tried.empty());
  double next = 100;
  const auto falling = [&](const Tensor&) { return next--; };
  const std::vector<SearchStep> tried = whole_fit("{grid: 4}", falling).tried;
  ASSERT_EQ(tried.size(), 7u);
  const double alphas[] = {0, 0.25, 0.5, 0.75, 0.25, 0.5, 0.75}, betas[] = {0, 0, 0, 0, 0.75, 0.5, 0.25};
  for (size_t i = 0; i < tried.size(); ++i) {
    EXPECT_EQ(tried[i].alpha, alphas[i]);
    EXPECT_EQ(tried[i].beta, betas[i]);
    EXPECT_EQ(tried[i].error, 100 - static_cast<double>(i));
    EXPECT_EQ(tried[i].chosen, i == 6);
  }
}

TEST_F(Smooth, RefusesContradictingOptions) {
  EXPECT_TRUE(
      testing::throws_error([] { smooth("{grid: 1}"); }, Errc::kConfig, {"transform.smooth.grid", "1"}));
  EXPECT_TRUE(testing::throws_error([] { smooth("{grid: 20, alpha: 0.5}"); }, Errc::kConfig, {"alpha"}));
}

}  // namespace
}  // namespace svdlab
