// Smoothing before and behind a rotation.
#include "core/io/yaml.h"
#include "quant/rotator.h"
#include "quant/smoothing_exponents.h"
#include "quant/transform.h"
#include "tests/quant/rotation_problems.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::RotationGroup;

TransformFit fit(const RotationGroup& group, const std::string& name, const std::string& yaml,
                 const TransformScore& score = nullptr) {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "transform");
  const auto transform = transforms().at(name)(fields);
  fields.finish();
  return transform->fit({&group.problem, 1}, score);
}

Tensor stored(const Tensor& t) { return t.to(at::kFloat).to(at::kBFloat16).to(at::kFloat); }

class RotatedSmoothing : public ::testing::TestWithParam<std::string> {};

TEST_P(RotatedSmoothing, ChangesNoProductOnHardInputs) {
  for (const char* rotation : {"hadamard", "random-orthogonal", "outlier-aware", "adaptive-rotation"})
    for (const auto& [name, x] : testing::hard_inputs()) {
      SCOPED_TRACE(concat(rotation, " on ", name));
      const RotationGroup group(x);
      const OnlineTransform t =
          fit(group, GetParam(), concat("{alpha: 0.3, beta: 0.6, rotation: ", rotation, "}")).online;
      for (const Tensor& w : group.problem.weights)
        testing::expect_close(t.apply(x).matmul(t.weight(w).t()), x.matmul(w.t()), 1e-5);
    }
}

TEST_P(RotatedSmoothing, SearchTakesTheBestOfTheGrid) {
  const RotationGroup group(testing::hard_inputs()[2].second);
  const auto score = [](const std::vector<OnlineTransform>& candidates, Through through) {
    EXPECT_EQ(through, Through::kRecipe);
    std::vector<double> errors(candidates.size(), 2.0);
    errors[4] = 1.0;
    return errors;
  };
  const TransformFit f = fit(group, GetParam(), "{grid: 4}", score);
  ASSERT_EQ(f.tried.size(), 7u);  // none, 3 of each kind
  EXPECT_EQ(f.tried[0].alpha + f.tried[0].beta, 0);
  EXPECT_EQ(f.tried[4].alpha, 0.25);
  EXPECT_EQ(f.tried[4].beta, 0.75);
  EXPECT_TRUE(f.tried[4].chosen);
  const OnlineTransform direct = fit(group, GetParam(), "{alpha: 0.25, beta: 0.75}").online;
  expect_identical(f.online.apply(group.x), direct.apply(group.x));
}

INSTANTIATE_TEST_SUITE_P(Both, RotatedSmoothing, ::testing::Values("smooth-rotate", "rotate-smooth"));

TEST(SmoothRotate, SmoothsByTheUnshiftedInputAndThenRotates) {
  const RotationGroup group(testing::hard_inputs()[4].second);
  const OnlineTransform t = fit(group, "smooth-rotate", "{alpha: 1, beta: 0}").online;
  // Behind GELU too: what is quantized is the rotated input, which is not shifted.
  expect_identical(t.smooth, stored(group.x.abs().amax(0)));
  ASSERT_EQ(t.then.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<Hadamard>(t.then[0]));
}

TEST(RotateSmooth, SmoothsInTheRotatedSpace) {
  const RotationGroup group(testing::hard_inputs()[4].second);
  const OnlineTransform rotation = fit(group, "hadamard", "{}").online;
  const OnlineTransform t = fit(group, "rotate-smooth", "{alpha: 1, beta: 0}").online;
  EXPECT_FALSE(t.smooth.defined());
  ASSERT_EQ(t.then.size(), 3u);
  expect_identical(std::get<Divide>(t.then[2]).by, stored(rotation.apply(group.x).abs().amax(0)));
  const Tensor largest = t.apply(group.x).abs().amax(0);
  EXPECT_LT((largest - 1).abs().max().item<double>(), 0.01);  // every rotated channel reaches 1
}

TEST(RotationTransform, EveryRotationIsATransformOfItsName) {
  const RotationGroup group(testing::hard_inputs()[2].second);
  for (const std::string& name : rotators().names()) {
    SCOPED_TRACE(name);
    const Value none = Value::map();
    Fields options(none, "rotation");
    const OnlineTransform direct({}, rotators().at(name)(options)->steps({&group.problem, 1}, {}));
    const TransformFit f = fit(group, name, "{}");
    expect_identical(f.online.apply(group.x), direct.apply(group.x));
    EXPECT_TRUE(f.tried.empty());
  }
}

TEST(SmoothingExponents, AreAPairOrAGrid) {
  const auto read = [](const std::string& yaml) {
    const Value options = parse_yaml(yaml, "test");
    Fields fields(options, "smooth");
    return read_exponents(fields);
  };
  ASSERT_EQ(read("{}").size(), 1u);
  EXPECT_EQ(read("{alpha: 0.25}")[0].alpha, 0.25);
  EXPECT_EQ(read("{alpha: 0.25}")[0].beta, 0.5);
  ASSERT_EQ(read("{grid: 3}").size(), 5u);
  EXPECT_EQ(read("{grid: 3}")[4].beta, 1.0 - 2.0 / 3);
  const Spans spans{at::tensor({4.0, 0.0}, at::kDouble), at::tensor({0.25, 1.0}, at::kDouble)};
  expect_identical(smoothing_vector(spans, {0.5, 0.5}), at::tensor({4.0f, 1.0f}));
  EXPECT_FALSE(smoothing_vector(spans, {0, 0}).defined());
  expect_identical(smoothing_vectors(spans, {{0, 0}})[0], at::ones({2}));
  EXPECT_FALSE(smoothing_vectors(spans, {{0, 0}, {1, 0}})[0].defined());
}

}  // namespace
}  // namespace svdlab
