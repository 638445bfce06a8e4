// Every registered transform with its default options.
#include "quant/transform.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

constexpr int64_t kChannels = 64;

class TransformContract : public ::testing::TestWithParam<std::string> {
 protected:
  TransformContract() {
    stats_.add(testing::random_tensor({32, kChannels}, "transform-x") * at::logspace(-2, 2, kChannels),
               at::arange(32));
    problem_.name = "group";
    problem_.linear_names = {"a", "b"};
    problem_.weights = {testing::random_tensor({8, kChannels}, "transform-a"),
                        testing::random_tensor({24, kChannels}, "transform-b")};
    problem_.branches = {{0, 1}};
    problem_.segments = {{0, kChannels, Producer::kModulate}};
    problem_.stats = &stats_;
    problem_.scheme = scheme_named("int4");
    if (GetParam() == "repq") {
      problem_.scheme.activations->tensor.format = NumberFormat::kAffine;
      problem_.scheme.activations->tensor.grouping = Grouping::kTensor;
    }
  }
  std::unique_ptr<Transform> transform() const {
    const Value none = Value::map();
    Fields fields(none, "transform");
    return transforms().at(GetParam())(fields);
  }
  OnlineTransform fit() const {
    const auto score = [](const std::vector<OnlineTransform>& candidates, Through) {
      std::vector<double> errors;
      for (const OnlineTransform& c : candidates)
        errors.push_back(c.smooth.defined() ? c.smooth.sum().item<double>() : 1e9);
      return errors;
    };
    return transform()->fit({&problem_, 1}, score).online;
  }

  ActivationStats stats_;
  GroupProblem problem_;
};

TEST_P(TransformContract, SmoothingIsPositiveBf16ValuesOrNothing) {
  const Tensor s = fit().smooth;
  if (!s.defined()) return;
  EXPECT_EQ(s.sizes(), (std::vector<int64_t>{kChannels}));
  EXPECT_EQ(s.scalar_type(), at::kFloat);
  EXPECT_TRUE((s > 0).logical_and(s.isfinite()).all().item<bool>());
  testing::expect_identical(s, s.to(at::kBFloat16).to(at::kFloat));
}

TEST_P(TransformContract, TheProductWithTheFoldedWeightIsTheSame) {
  const OnlineTransform online = fit();
  const Tensor x = stats_.reservoir, &w = problem_.weights[0], folded = online.weight(w);
  Tensor y = at::mm(online.apply(x).to(at::kDouble), folded.to(at::kDouble).t());
  if (const Tensor c = online.constant(kChannels); c.defined())
    y = y - at::mv(folded.to(at::kDouble), c.to(at::kDouble));
  testing::expect_close(y, at::mm(x.to(at::kDouble), w.to(at::kDouble).t()), 1e-5);
}

TEST_P(TransformContract, TheGramMatrixIsThatOfTheTransformedInput) {
  const OnlineTransform online = fit();
  const Tensor x = online.apply_linear(stats_.reservoir.to(at::kDouble));
  testing::expect_close(online.gram(stats_.gram), at::mm(x.t(), x), 1e-5);
}

TEST_P(TransformContract, TwiceGivesTheSame) {
  const Tensor x = stats_.reservoir;
  testing::expect_identical(fit().apply(x), fit().apply(x));
}

TEST_P(TransformContract, WorksWithoutStatisticsIfItSaysSo) {
  if (transform()->needs_stats()) GTEST_SKIP() << GetParam() << " needs statistics";
  problem_.stats = nullptr;
  EXPECT_NO_THROW(fit());
}

TEST_P(TransformContract, SilentChannelsAreSafe) {
  stats_.absmax[5] = 0;
  for (Tensor& w : problem_.weights) w.select(1, 9).zero_();
  const Tensor s = fit().smooth;
  EXPECT_TRUE(!s.defined() || (s > 0).logical_and(s.isfinite()).all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(All, TransformContract, ::testing::ValuesIn(transforms().names()));

}  // namespace
}  // namespace svdlab
