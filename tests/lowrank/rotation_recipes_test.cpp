// Rotations in whole recipes: the orderings that methods like them are built on, on a layer as the literature
// draws it (heavy-tailed weights; a few channels, or a few tokens, far above the rest).
#include <cmath>

#include "core/base/rng.h"
#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::OutlierGroup;
using testing::output_error;

// Student's t with 6 degrees of freedom.
Tensor heavy_tailed(at::IntArrayRef sizes, const std::string& name) {
  Tensor t = at::empty(sizes, at::kFloat);
  const Rng rng(0, name);
  for (int64_t i = 0; i < t.numel(); ++i) {
    double squares = 0;
    for (int k = 1; k <= 6; ++k) squares += std::pow(rng.normal(i * 7 + k), 2);
    t.data_ptr<float>()[i] = static_cast<float>(rng.normal(i * 7) / std::sqrt(squares / 6));
  }
  return t;
}

enum class Outliers { kChannels, kTokens };

void fill(OutlierGroup& group, Outliers kind, const std::string& name) {
  group.problem.weights[0] = heavy_tailed({384, 256}, name + "-w") * 0.05;
  Tensor x = testing::random_tensor({1024, 256}, name + "-x");
  for (int i = 0; i < 6 && kind == Outliers::kChannels; ++i) x.select(1, (37 * i + 5) % 256).mul_(15 + 5 * i);
  const Tensor special = testing::random_tensor({256}, name + "-token").pow(3) * 10;
  for (int i = 0; i < 16 && kind == Outliers::kTokens; ++i) x.select(0, 61 * i).add_(special);
  group.x = x;
  group.stats = testing::stats_of(x);
}

// Relative output errors of recipes.
class RotationRecipes : public ::testing::TestWithParam<std::string> {
 protected:
  explicit RotationRecipes(Outliers kind = Outliers::kChannels) : group_(GetParam(), {384}, 256, "int4", 8) {
    fill(group_, kind, GetParam());
  }
  double error(const std::string& yaml) const { return std::sqrt(output_error(group_, yaml)); }

  OutlierGroup group_;
};

TEST_P(RotationRecipes, RotatingHelpsAloneAndMoreBehindSmoothing) {
  const double plain = error("{}"), smooth = error("transform: smooth"),
               hadamard = error("transform: hadamard"), random = error("transform: random-orthogonal"),
               both = error("transform: smooth-rotate"), turned = error("transform: rotate-smooth");
  EXPECT_LT(hadamard, 0.8 * plain);
  EXPECT_LT(random, 0.8 * plain);
  EXPECT_LT(both, 0.75 * smooth);
  EXPECT_LT(both, 0.75 * hadamard);
  EXPECT_LT(both, 0.75 * turned) << "outlier channels must go before the rotation spreads them";
}

TEST_P(RotationRecipes, RotationAddsToTheLowRankBranch) {
  const std::string branch = "driver: svdquant, low_rank: {rank: 32}, transform: ";
  EXPECT_LT(error("{" + branch + "smooth-rotate}"), 0.8 * error("{" + branch + "smooth}"));
}

INSTANTIATE_TEST_SUITE_P(Seeds, RotationRecipes, ::testing::Values("rotation-0", "rotation-1"));

class SpecialTokens : public RotationRecipes {
 protected:
  SpecialTokens() : RotationRecipes(Outliers::kTokens) {}
};

// QuantVGGT's case: a few tokens carry a large vector of their own, the same in all of them (camera and
// register tokens). Of tokens that are large each in its way it does not hold.
TEST_P(SpecialTokens, SmoothingInTheRotatedSpaceHelps) {
  EXPECT_LT(error("transform: rotate-smooth"), error("transform: hadamard"));
}

INSTANTIATE_TEST_SUITE_P(Seeds, SpecialTokens, ::testing::Values("rotation-0", "rotation-1"));

// Behind GELU the rotated input has both signs: it is not shifted, and the oracle on codes agrees.
TEST(RotatedLinear, CodesAndDequantizedAgreeAndNothingIsShifted) {
  for (const char* scheme : {"int4", "nvfp4"})
    for (const char* transform : {"hadamard", "outlier-aware", "smooth-rotate", "rotate-smooth"}) {
      SCOPED_TRACE(concat(scheme, " ", transform));
      OutlierGroup group("rotated", {48}, 192, scheme, 40);
      group.problem.segments = {{0, 64, Producer::kAttention}, {64, 192, Producer::kGelu}};
      const GroupCompression c = testing::compress(
          group.problem, concat("{preset: svd, low_rank: {rank: 4}, transform: ", transform, "}"));
      const CompressedLinear& linear = c.linears.front();
      testing::expect_close(run_compressed(linear, group.x, Execution::kCodes),
                            run_compressed(linear, group.x, Execution::kDequantized), 1e-5);
      const OnlineTransform online = linear.online();
      const LowBitBranch& low_bit = *linear.low_bit();
      ActivationScheme plain = *low_bit.activations;
      plain.shift_after_gelu = false;
      testing::expect_identical(
          fake_quantize(group.x, online, *low_bit.activations, low_bit.segments),
          fake_quantize(online.apply(group.x), OnlineTransform(), plain, low_bit.segments));
    }
}

// Quamba quantizes the rotated output of a scan with one scale for the tensor.
TEST(HadamardRotation, LowersTheErrorOfOneScaleForTheTensor) {
  const OutlierGroup group("per-tensor", {8}, 256, "w8a8");
  const ActivationScheme one_scale{.tensor = {.format = NumberFormat::kInt8, .grouping = Grouping::kTensor}};
  const auto error = [&](const OnlineTransform& t) {
    return testing::relative_difference(fake_quantize(group.x, t, one_scale, group.problem.segments),
                                        t.apply(group.x));
  };
  const GroupCompression c = testing::compress(group.problem, "transform: hadamard");
  EXPECT_LT(error(c.linears.front().online()), 0.6 * error({}));
}

}  // namespace
}  // namespace svdlab
