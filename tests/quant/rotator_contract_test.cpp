// Every registered rotation with its default options, and what they promise one by one.
#include "core/base/error.h"
#include "core/io/yaml.h"
#include "quant/rotator.h"
#include "quant/salience.h"
#include "tests/quant/rotation_problems.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::RotationGroup;
using testing::throws_error;

std::unique_ptr<Rotator> rotator(const std::string& name, const std::string& yaml = "{}") {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "rotation");
  auto out = rotators().at(name)(fields);
  fields.finish();
  return out;
}

OnlineTransform rotation_of(const RotationGroup& group, const std::string& name,
                            const std::string& yaml = "{}") {
  return OnlineTransform({}, rotator(name, yaml)->steps({&group.problem, 1}, {}));
}

// The dense matrix A with T(x) = x A, fp64.
Tensor dense(const OnlineTransform& t, int64_t channels) {
  return t.apply_linear(at::eye(channels, at::kDouble));
}

class RotatorContract : public ::testing::TestWithParam<std::string> {};

TEST_P(RotatorContract, IsOrthogonalOnHardInputs) {
  for (const auto& [name, x] : testing::hard_inputs()) {
    SCOPED_TRACE(name);
    const RotationGroup group(x);
    const Tensor a = dense(rotation_of(group, GetParam()), x.size(1));
    const double worst = (a.matmul(a.t()) - at::eye(x.size(1), at::kDouble)).abs().max().item<double>();
    EXPECT_TRUE(worst <= 2e-6) << worst;  // blocks are kept in fp32
  }
}

TEST_P(RotatorContract, ChangesNoProduct) {
  for (const auto& [name, x] : testing::hard_inputs()) {
    SCOPED_TRACE(name);
    const RotationGroup group(x);
    const OnlineTransform t = rotation_of(group, GetParam());
    for (const Tensor& w : group.problem.weights)
      testing::expect_close(t.apply(x).matmul(t.weight(w).t()), x.matmul(w.t()), 1e-5);
  }
}

TEST_P(RotatorContract, KeepsKRangesApart) {
  const RotationGroup group(testing::hard_inputs()[4].second);
  const Tensor a = dense(rotation_of(group, GetParam()), 192);
  EXPECT_EQ(a.slice(0, 0, 64).slice(1, 64, 192).abs().max().item<double>(), 0);
  EXPECT_EQ(a.slice(0, 64, 192).slice(1, 0, 64).abs().max().item<double>(), 0);
  EXPECT_GT(a.slice(0, 64, 192).slice(1, 64, 192).abs().max().item<double>(), 0);
}

TEST_P(RotatorContract, TwiceGivesTheSameAndAnotherSeedAnother) {
  const RotationGroup group(testing::hard_inputs()[0].second * 0.5);
  const Tensor a = dense(rotation_of(group, GetParam()), 192);
  expect_identical(dense(rotation_of(group, GetParam()), 192), a);
  const std::string seeded = GetParam() == "adaptive-rotation" ? "{hadamard: {seed: 1}}" : "{seed: 1}";
  EXPECT_FALSE(at::equal(dense(rotation_of(group, GetParam(), seeded), 192), a));
}

TEST_P(RotatorContract, WorksWithoutStatisticsIfItSaysSo) {
  if (rotator(GetParam())->needs_stats()) GTEST_SKIP() << GetParam() << " needs statistics";
  RotationGroup group(testing::hard_inputs()[0].second);
  group.problem.stats = nullptr;
  EXPECT_NO_THROW(rotation_of(group, GetParam()));
}

INSTANTIATE_TEST_SUITE_P(All, RotatorContract, ::testing::ValuesIn(rotators().names()));

TEST(HadamardRotator, IsSignsThenHadamardPerBlock) {
  const RotationGroup group(testing::hard_inputs()[0].second);
  const auto steps = rotator("hadamard", "{block: 32, signs: false}")->steps({&group.problem, 1}, {});
  ASSERT_EQ(steps.size(), 2u);
  const Hadamard& second = std::get<Hadamard>(steps[1]);
  EXPECT_EQ(second.begin, 64);
  EXPECT_EQ(second.end, 192);
  EXPECT_EQ(second.size, 32);
  EXPECT_FALSE(second.signs.defined());
  const Hadamard whole = std::get<Hadamard>(rotator("hadamard")->steps({&group.problem, 1}, {})[1]);
  EXPECT_EQ(whole.size, 128);
  const Tensor minus = (whole.signs == -1).sum();
  EXPECT_GT(minus.item<int64_t>(), 40);
  EXPECT_LT(minus.item<int64_t>(), 88);
  EXPECT_TRUE((whole.signs.abs() == 1).all().item<bool>());
}

TEST(HadamardRotator, RandomSignsKeepAConstantInputFlat) {
  const RotationGroup group(at::ones({48, 192}));
  const auto largest = [&](const std::string& yaml) {
    return rotation_of(group, "hadamard", yaml).apply(group.x).abs().max().item<double>();
  };
  EXPECT_NEAR(largest("{signs: false}"), std::sqrt(128.0), 1e-5);  // all of it in one channel
  EXPECT_LT(largest("{}"), 4.5);
}

TEST(Rotators, RefuseBlocksThatDoNotFitByName) {
  RotationGroup group(testing::hard_inputs()[0].second);
  EXPECT_TRUE(throws_error([&] { rotation_of(group, "hadamard", "{block: 48}"); }, Errc::kConfig,
                           {"block 48 does not divide K range [0,64) of first"}));
  EXPECT_TRUE(throws_error([] { rotator("random-orthogonal", "{block: 1}"); }, Errc::kConfig,
                           {"rotation.block", "0 (a whole K range) or at least 2, not 1"}));
  EXPECT_TRUE(
      throws_error([] { rotator("hadamard", "{seed: -1}"); }, Errc::kConfig, {"rotation.seed", "-1"}));
  group.problem.segments = {{0, 22, Producer::kAttention}, {22, 192, Producer::kGelu}};
  EXPECT_TRUE(throws_error([&] { rotation_of(group, "hadamard"); }, Errc::kConfig,
                           {"first: no Hadamard transform of length 22", "blocks of 2"}));
}

TEST(Salience, IsTheRootMeanSquareOfWhatIsRotated) {
  const RotationGroup group(testing::hard_inputs()[4].second);
  const Tensor s = at::logspace(-2, 2, 192);
  const auto rms = [](const Tensor& x) { return x.to(at::kDouble).square().mean().sqrt().item<double>(); };
  testing::expect_close(salience({&group.problem, 1}, {}), rms(group.x), 1e-9);
  testing::expect_close(salience({&group.problem, 1}, s), rms(group.x / s), 1e-6);
}

// The two regimes of LRQ-DiT's toy: J 0.5 of a mild layer, J 3.5 of one with salient channels.
TEST(AdaptiveRotator, MildInputsGetHadamardAndSalientOnesTheOutlierAwareRotation) {
  const Tensor noise = testing::hard_inputs()[0].second;
  Tensor salient = noise * 0.5;
  for (const int64_t channel : {5, 70, 101, 140}) salient.select(1, channel).mul_(48);
  const RotationGroup mild(noise * 0.5), strong(salient);
  EXPECT_NEAR(salience({&mild.problem, 1}, {}), 0.5, 0.02);
  EXPECT_GT(salience({&strong.problem, 1}, {}), 3);
  const auto is_hadamard = [](const RotationGroup& group, const std::string& yaml) {
    const OnlineTransform t = rotation_of(group, "adaptive-rotation", yaml);
    return std::holds_alternative<Hadamard>(t.then.front());
  };
  EXPECT_TRUE(is_hadamard(mild, "{}"));
  EXPECT_FALSE(is_hadamard(strong, "{}"));
  EXPECT_FALSE(is_hadamard(mild, "{threshold: 0.4}"));
  EXPECT_TRUE(is_hadamard(strong, "{threshold: 100}"));
}

// What it is for: after it the largest magnitude is smaller than after a Hadamard rotation of the same
// blocks.
TEST(OutlierAwareRotator, SpreadsOutliersFurtherThanHadamard) {
  Tensor x = testing::hard_inputs()[0].second.clone();
  for (const int64_t channel : {70, 75, 76, 90}) x.select(1, channel).mul_(30);
  const RotationGroup group(x);
  const auto largest = [&](const std::string& name) {
    return rotation_of(group, name, "{block: 32}").apply(x).abs().max().item<double>();
  };
  const double before = x.abs().max().item<double>(), aware = largest("outlier-aware");
  EXPECT_LT(aware, largest("hadamard"));
  EXPECT_LT(aware, before / 3);
}

}  // namespace
}  // namespace svdlab
