// `segments: joint | split`: the two parts of a concat under common scales, or each under its own.
#include "lowrank/compress_model.h"
#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::random_tensor;

constexpr int64_t kHalf = 128;

// A linear behind a concat of small values and large, never negative ones: a U-Net's shortcut, FLUX's
// attention beside what follows GELU.
class Concat : public ::testing::Test {
 protected:
  Concat()
      : x(at::cat(
            {random_tensor({256, kHalf}, "small") * 0.05, random_tensor({256, kHalf}, "large").abs() * 8},
            1)) {
    graph.linears.push_back(
        {.name = "proj_out",
         .weight = at::cat({testing::realistic_weight(96, kHalf, "small-w") * 100,
                            testing::realistic_weight(96, kHalf, "large-w")},
                           1),
         .bias = {},
         .block = "",
         .segments = {{0, kHalf, Producer::kAttention}, {kHalf, 2 * kHalf, Producer::kGelu}}});
    graph.groups.push_back({"proj_out", {0}, {{0}}, ""});
    stats["proj_out"] = testing::stats_of(x);
  }

  CompressedLinear compressed(const Scheme& scheme, const std::string& recipe) const {
    const Plan plan = {{"*", scheme, testing::recipe(recipe), "plan.yaml:1:1"}};
    return compress_model(graph, stats, plan, {}).model.linears.at("proj_out");
  }
  double error(const Scheme& scheme, const std::string& recipe) const {
    const Tensor y = x.matmul(graph.linears[0].weight.t());
    const CompressedLinear linear = compressed(scheme, recipe);
    expect_close(run_compressed(linear, x, Execution::kCodes),
                 run_compressed(linear, x, Execution::kDequantized), 1e-5);
    return testing::relative_difference(run_compressed(linear, x, Execution::kDequantized), y);
  }

  Tensor x;
  Graph graph;
  StatsMap stats;
};

Scheme with_activations(NumberFormat format, Grouping grouping) {
  Scheme s = scheme_named("w8a8");
  s.weights->grouping = Grouping::kGroup;  // a scale a row of weights would be joint, too
  s.activations = ActivationScheme{.tensor = {.format = format, .grouping = grouping}};
  return s;
}

TEST_F(Concat, SplitKeepsTheSmallPartThatJointScalesRoundAway) {
  for (const NumberFormat format : {NumberFormat::kInt4, NumberFormat::kInt8})
    for (const Grouping grouping : {Grouping::kRow, Grouping::kTensor}) {
      const Scheme s = with_activations(format, grouping);
      const double split = error(s, "segments: split"), joint = error(s, "segments: joint");
      EXPECT_TRUE(split < (format == NumberFormat::kInt8 ? 0.2 : 0.7) * joint)
          << split << " against " << joint;
    }
}

TEST_F(Concat, SplitIsTheDefaultAndBothKeepTheWeights) {
  const Scheme s = with_activations(NumberFormat::kInt8, Grouping::kRow);
  const CompressedLinear split = compressed(s, "segments: split"), joint = compressed(s, "segments: joint");
  EXPECT_EQ(compressed(s, "{}").low_bit()->segments.size(), 2u);
  EXPECT_EQ(split.low_bit()->segments.size(), 2u);
  ASSERT_EQ(joint.low_bit()->segments.size(), 1u);
  EXPECT_EQ(joint.low_bit()->segments[0].end, 2 * kHalf);
  expect_identical(joint.low_bit()->weight.codes, split.low_bit()->weight.codes);
}

TEST_F(Concat, GroupsThatDoNotStraddleThePartsAreTheSameEitherWay) {
  const CompressedLinear split = compressed(scheme_named("nvfp4"), "segments: split"),
                         joint = compressed(scheme_named("nvfp4"), "segments: joint");
  expect_identical(run_compressed(joint, x, Execution::kDequantized),
                   run_compressed(split, x, Execution::kDequantized));
}

TEST_F(Concat, JointIsNotShiftedBehindGelu) {
  const Scheme& int4 = scheme_named("int4");
  EXPECT_TRUE(error(int4, "segments: split") < error(int4, "segments: joint"));
}

TEST(RecipeSegments, AreReadPrintedAndRefused) {
  const Recipe joint = testing::recipe("segments: joint");
  EXPECT_TRUE(joint.joint_segments);
  EXPECT_TRUE(parse_recipe(joint.to_value(), "").joint_segments);
  EXPECT_EQ(testing::recipe("segments: split").to_value().find("segments"), nullptr);
  EXPECT_TRUE(
      testing::throws_error([] { testing::recipe("segments: both"); }, Errc::kConfig, {"segments", "both"}));
}

}  // namespace
}  // namespace svdlab
