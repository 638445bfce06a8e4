#include "lowrank/recipe.h"

#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::recipe;
using testing::throws_error;

TEST(Recipe, EveryPresetSurvivesTheRoundTrip) {
  ASSERT_GE(method_presets().size(), 13u);
  for (const MethodPreset& preset : method_presets()) {
    SCOPED_TRACE(preset.name);
    const Recipe r = recipe(preset.yaml);
    const Recipe again = parse_recipe(r.to_value(), "");
    EXPECT_EQ(again.to_value().canonical_json(), r.to_value().canonical_json());
    const Recipe from_text = recipe(to_yaml(r.to_value()));
    EXPECT_EQ(from_text.to_value().canonical_json(), r.to_value().canonical_json());
    EXPECT_FALSE(preset.summary.empty());
  }
}

TEST(Recipe, PresetsDifferFromEachOther) {
  std::set<std::string> seen;
  for (const MethodPreset& preset : method_presets())
    EXPECT_TRUE(seen.insert(recipe("preset: " + preset.name).to_value().canonical_json()).second)
        << preset.name;
}

TEST(Recipe, EmptyIsRoundToNearest) {
  const Recipe r = recipe("{}");
  EXPECT_EQ(r.transform, "none");
  EXPECT_EQ(r.driver, "quantize");
  EXPECT_EQ(r.weights, "rtn");
  EXPECT_EQ(r.rank, 0);
}

TEST(Recipe, StagesMayBeNamesOrMaps) {
  EXPECT_EQ(recipe("{driver: lorc}").driver, "lorc");
  const Recipe r =
      recipe("{driver: {svdquant: {iterations: 20}}, low_rank: {rank: 4, solver: gram}, weights: {gptq:}}");
  EXPECT_EQ(r.driver, "svdquant");
  EXPECT_EQ(r.driver_options.find("iterations")->scalar, "20");
  EXPECT_EQ(r.rank, 4);
  EXPECT_EQ(r.solver, "gram");
  EXPECT_EQ(r.weights, "gptq");
}

TEST(Recipe, KeysChangeAPreset) {
  const Recipe r = recipe("{preset: svdquant, low_rank: {rank: 32}}");
  EXPECT_EQ(r.rank, 32);
  EXPECT_EQ(r.solver, "randomized");
  EXPECT_EQ(r.transform, "smooth");
  EXPECT_EQ(r.transform_options.find("grid")->scalar, "20");
  EXPECT_TRUE(
      recipe("{preset: svdquant, transform: {smooth: {alpha: 0.3}}}").transform_options.find("grid") ==
      nullptr);
  const Recipe options = recipe("{preset: svdquant, low_rank: {iterations: 3}}");
  EXPECT_EQ(options.rank, 8);
  EXPECT_EQ(options.solver_options.find("iterations")->scalar, "3");
}

TEST(Recipe, ObjectiveIsANameOrAMapAndPlainGoesWithoutSaying) {
  EXPECT_EQ(recipe("preset: svdquant").objective, "plain");
  EXPECT_EQ(recipe("{preset: svdquant, low_rank: {objective: plain}}").to_value().canonical_json(),
            recipe("preset: svdquant").to_value().canonical_json());
  const Recipe r =
      recipe("{preset: lorc, low_rank: {objective: {whitened: {damping: 0.01}}, iterations: 3}}");
  EXPECT_EQ(r.objective, "whitened");
  EXPECT_EQ(r.objective_options.find("damping")->scalar, "0.01");
  EXPECT_EQ(r.solver_options.members.size(), 1u);
  EXPECT_EQ(parse_recipe(r.to_value(), "").to_value().canonical_json(), r.to_value().canonical_json());
  EXPECT_EQ(recipe("{preset: svdquant-h, low_rank: {rank: 32}}").objective, "whitened");
  EXPECT_EQ(recipe("{preset: svdquant-h, low_rank: {objective: plain}}").to_value().canonical_json(),
            recipe("preset: svdquant-iterated").to_value().canonical_json());
}

TEST(Recipe, Sixteen) {
  EXPECT_TRUE(recipe("preset: bf16").keeps_16_bit());
  EXPECT_FALSE(recipe("preset: rtn").keeps_16_bit());
  EXPECT_TRUE(
      throws_error([] { recipe("{preset: svdquant, weights: none}"); }, Errc::kConfig, {"16 bit", "rank 8"}));
}

TEST(Recipe, MistakesAreNamedWithTheirPlaceAndTheNearestName) {
  const auto refused = [](const std::string& yaml, const std::vector<std::string>& parts) {
    return throws_error([&] { recipe(yaml); }, Errc::kConfig, parts);
  };
  EXPECT_TRUE(refused("{wieghts: rtn}", {"test:1", "wieghts", "weights"}));
  EXPECT_TRUE(refused("{weights: gtpq}", {"test:1", "weights", "gtpq", "gptq"}));
  EXPECT_TRUE(refused("{weights: {gptq: {dampning: 0.01}}}", {"test:1", "dampning", "damping"}));
  EXPECT_TRUE(refused("{transform: {smooth: {grid: 0}}}", {"test:1", "transform.smooth.grid", "0"}));
  EXPECT_TRUE(refused("{transform: {smooth: {}, none: {}}}", {"test:1", "transform", "one stage"}));
  EXPECT_TRUE(refused("{driver: svdquant, low_rank: {rank: -1}}", {"test:1", "low_rank.rank", "-1"}));
  EXPECT_TRUE(refused("{driver: svdquant, low_rank: {rank: eight}}", {"test:1", "low_rank.rank", "eight"}));
  EXPECT_TRUE(refused("{driver: svdquant, low_rank: {rank: 8, oversample: 3}}",
                      {"test:1", "oversample", "oversampling"}));
  EXPECT_TRUE(refused("{driver: lorc, low_rank: {rank: 8, objective: whiten}}",
                      {"test:1", "low_rank.objective", "whiten", "whitened"}));
  EXPECT_TRUE(refused("{driver: lorc, low_rank: {rank: 8, objective: {whitened: {dampning: 1}}}}",
                      {"test:1", "dampning", "damping"}));
  EXPECT_TRUE(refused("{driver: lorc, low_rank: {rank: 8, objective: {plain: {damping: 1}}}}",
                      {"test:1", "damping"}));
  EXPECT_TRUE(refused("{low_rank: {rank: 8}}", {"low_rank.rank", "8", "driver quantize"}));
  EXPECT_TRUE(refused("{preset: svdqant}", {"test:1", "preset", "svdqant", "svdquant"}));
}

}  // namespace
}  // namespace svdlab
