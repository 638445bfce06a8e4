#include "experiments/study/study_config.h"

#include <gtest/gtest.h>

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

StudyConfig study(const std::string& yaml) { return parse_study(parse_yaml(yaml, "study.yaml")); }

std::vector<std::string> cell_names(const StudyConfig& s) {
  std::vector<std::string> out;
  for (const Cell& cell : s.cells) out.push_back(cell.name);
  return out;
}

TEST(StudyConfig, GridOfSchemesAndMethodsInTheirOrder) {
  const StudyConfig s = study("{study: s, schemes: [int4, nvfp4], methods: [rtn, svdquant]}");
  EXPECT_EQ(cell_names(s),
            (std::vector<std::string>{"int4/rtn", "int4/svdquant", "nvfp4/rtn", "nvfp4/svdquant"}));
  EXPECT_EQ(s.cells[0].slug, "int4-rtn");
  EXPECT_EQ(s.protocol.items, 32);
  EXPECT_EQ(s.protocol.steps, 10);
  EXPECT_FALSE(s.guidance.has_value());
  const Cell& cell = s.cells[3];
  ASSERT_EQ(cell.rules.size(), 5u);
  EXPECT_EQ(cell.rules[0].rule.scheme.name, "w4a16-int4-g64");
  EXPECT_FALSE(cell.rules[0].subject);
  EXPECT_TRUE(cell.rules[0].optional);
  EXPECT_TRUE(cell.rules[3].subject);
  EXPECT_EQ(cell.rules[3].rule.scheme.name, "nvfp4");
  EXPECT_EQ(cell.rules[3].rule.recipe.rank, 8);
  EXPECT_FALSE(cell.rules[4].rule.scheme.weights.has_value());
}

TEST(StudyConfig, ExcludedCellsAreLeftOutAndListedOnesAdded) {
  const StudyConfig s = study(R"(
study: s
schemes: [int4, nvfp4]
methods: {rtn: {}, low: {preset: svd, low_rank: {rank: 2}}}
exclude: [{scheme: nv*, method: low}]
cells:
  - {name: turned up, scheme: int4, method: low, outliers: {channels: 4, strength: 8}}
  - {scheme: mxfp4, method: gptq, outliers: {channels: 4, strength: 8, seed: 1}}
)");
  EXPECT_EQ(cell_names(s), (std::vector<std::string>{"int4/rtn", "int4/low", "nvfp4/rtn", "turned up",
                                                     "mxfp4/gptq+outliers-4x8-seed1"}));
  EXPECT_EQ(s.cells[3].slug, "turned-up+outliers-4x8");
  EXPECT_EQ(s.cells[1].rules[3].rule.recipe.rank, 2);
}

TEST(StudyConfig, APlanOfItsOwnWithItsOwnScheme) {
  const StudyConfig s = study(R"(
study: s
scheme:
  mine: {weights: {format: int4, group: 32}, activations: {format: int8, grouping: row, scale: fp32}}
  wide: {base: int4, weights: {group: 128}}
plan:
  - {match: "*block*", recipe: {scheme: mine, method: $method, low_rank: {rank: 3}}}
  - {match: "*", recipe: {scheme: wide, weights: rtn}}
methods: {svd: {}}
)");
  ASSERT_EQ(cell_names(s), std::vector<std::string>{"svd"});
  EXPECT_EQ(s.cells[0].scheme, "mine");
  const PlanRule& rule = s.cells[0].rules[0].rule;
  EXPECT_EQ(rule.recipe.rank, 3);
  EXPECT_EQ(rule.scheme.weights->group, 32);
  EXPECT_EQ(rule.scheme.activations->tensor.format, NumberFormat::kInt8);
  const Scheme& wide = s.cells[0].rules[1].rule.scheme;
  EXPECT_EQ(wide.weights->group, 128);
  EXPECT_EQ(wide.activations->tensor.group, 64);
  EXPECT_TRUE(wide.activations->shift_after_gelu);
}

TEST(StudyConfig, EveryCellOnEveryBackend) {
  const std::string grid = "study: s, schemes: [int4], methods: [rtn, svd]";
  const StudyConfig s = study("{" + grid + ", backend: [reference, cuda]}");
  EXPECT_EQ(cell_names(s),
            (std::vector<std::string>{"int4/rtn", "int4/rtn@cuda", "int4/svd", "int4/svd@cuda"}));
  EXPECT_EQ(s.cells[1].slug, "int4-rtn-cuda");
  EXPECT_EQ(s.cells[1].backend, "cuda");
  EXPECT_EQ(s.cells[2].backend, "reference");
  EXPECT_EQ(cell_names(parse_study(s.resolved)), cell_names(s));
  EXPECT_EQ(cell_names(study("{" + grid + ", backend: fused-cpu}")),
            (std::vector<std::string>{"int4/rtn@fused-cpu", "int4/svd@fused-cpu"}));
}

TEST(StudyConfig, ResolvedConfigurationIsTheSameStudy) {
  const StudyConfig s = study(R"(
study: s
protocol: full
scheme: {wide: {base: int4, weights: {group: 128}}}
schemes: [wide, nvfp4]
methods: {rtn: {}, low: {preset: svdquant, low_rank: {rank: 2}}}
exclude: [{scheme: nvfp4, method: rtn}]
outliers: {channels: 2, strength: 4}
)");
  const StudyConfig again = parse_study(parse_yaml(to_yaml(s.resolved), "resolved"));
  EXPECT_EQ(again.resolved.canonical_json(), s.resolved.canonical_json());
  EXPECT_EQ(study_hash(again, "m"), study_hash(s, "m"));
  EXPECT_EQ(s.protocol.until_half_width_db, 0.5);
}

TEST(StudyConfig, HashDependsOnWhatDecidesResultsAlone) {
  const std::string base = "study: s, schemes: [int4], methods: [rtn]";
  const std::string hash = study_hash(study("{" + base + "}"), "model");
  EXPECT_EQ(study_hash(study("{" + base + ", description: words, model: elsewhere}"), "model"), hash);
  EXPECT_EQ(study_hash(study("{" + base + ", seed: 0, protocol: {items: 32}}"), "model"), hash);
  EXPECT_NE(study_hash(study("{" + base + "}"), "other model"), hash);
  for (const char* change : {"seed: 1", "guidance: 2", "protocol: {steps: 11}", "calibration: {tokens: 64}",
                             "outliers: {channels: 1, strength: 2}"})
    EXPECT_NE(study_hash(study("{" + base + ", " + change + "}"), "model"), hash) << change;
}

TEST(StudyConfig, MethodsUsedByFixedRulesAloneAreResolvedAndHashed) {
  const auto with_rank = [](int rank) {
    return study(concat("{study: s, methods: {side: {preset: svd, low_rank: {rank: ", rank,
                        "}}}, plan: [{match: '*norm*', recipe: {scheme: int4, method: side}}, "
                        "{match: '*', recipe: {scheme: $scheme, method: $method}}], "
                        "cells: [{scheme: int4, method: rtn}]}"));
  };
  const StudyConfig s = with_rank(2);
  EXPECT_NE(study_hash(s, "m"), study_hash(with_rank(4), "m"));
  const StudyConfig again = parse_study(parse_yaml(to_yaml(s.resolved), "resolved"));
  EXPECT_EQ(study_hash(again, "m"), study_hash(s, "m"));
}

TEST(StudyConfig, CalibrationStepsAreRandomUnlessAskedForAndDoNotChangeTheHashThen) {
  const auto study = [](const std::string& calibration) {
    return parse_study(parse_yaml(
        "{study: s, schemes: [int4], methods: [rtn], calibration: {pairs: 8" + calibration + "}}", "s.yaml"));
  };
  const StudyConfig plain = study(""), uniform = study(", timesteps: uniform");
  EXPECT_EQ(plain.calibration.timesteps, CalibrationSteps::kRandom);
  EXPECT_EQ(uniform.calibration.timesteps, CalibrationSteps::kUniform);
  EXPECT_EQ(plain.resolved.find("calibration")->find("timesteps"), nullptr);
  EXPECT_NE(study_hash(plain, "m"), study_hash(uniform, "m"));
  EXPECT_TRUE(testing::throws_error([&] { study(", timesteps: even"); }, Errc::kConfig,
                                    {"calibration.timesteps", "uniform", "even"}));
}

TEST(StudyConfig, NullTakesAPartOfASchemeAway) {
  const StudyConfig s =
      study("{study: s, scheme: {w: {base: int4, activations: null}}, schemes: [w], methods: [rtn]}");
  for (const CellRule& r : s.cells[0].rules)
    if (r.subject) {
      EXPECT_FALSE(r.rule.scheme.activations.has_value());
    }
}

TEST(StudyConfig, LaterFilesAndOverridesWin) {
  testing::TempDir dir;
  write_file(dir.file("a.yaml"), "study: s\nprotocol: full\nschemes: [int4]\nmethods: [rtn]\n");
  write_file(dir.file("b.yaml"), "schemes: [nvfp4]\nseed: 4\n");
  const StudyConfig s =
      load_study({dir.file("a.yaml"), dir.file("b.yaml")}, {"protocol.items=5", "guidance=3.5"});
  EXPECT_EQ(cell_names(s), std::vector<std::string>{"nvfp4/rtn"});
  EXPECT_EQ(s.seed, 4u);
  EXPECT_EQ(s.protocol.items, 5);
  EXPECT_EQ(s.protocol.steps, 20);
  EXPECT_EQ(s.guidance, 3.5);
  EXPECT_TRUE(testing::throws_error([&] { load_study({dir.file("a.yaml")}, {"protocol.item=5"}); },
                                    Errc::kConfig, {"protocol.item=5", "`items`"}));
  EXPECT_TRUE(testing::throws_error([&] { load_study({dir.file("c.yaml")}, {}); }, Errc::kInput, {"c.yaml"}));
}

struct Refusal {
  std::string name, yaml;
  std::vector<std::string> parts;
};

class StudyRefusals : public ::testing::TestWithParam<Refusal> {};

TEST_P(StudyRefusals, NameThePlaceAndTheFix) {
  EXPECT_TRUE(testing::throws_error([&] { study(GetParam().yaml); }, Errc::kConfig, GetParam().parts));
}

const std::string kGrid = "study: s, schemes: [int4], methods: [rtn]";
INSTANTIATE_TEST_SUITE_P(
    All, StudyRefusals,
    ::testing::Values(
        Refusal{"NoName", "{schemes: [int4], methods: [rtn]}", {"`study` is missing"}},
        Refusal{"NameOfAPath", "{study: ../s, schemes: [int4], methods: [rtn]}", {"`study`", "../s"}},
        Refusal{"UnknownKey", "{" + kGrid + ", protocl: small}", {"study.yaml:1", "`protocl`", "`protocol`"}},
        Refusal{"NoCells", "{study: s}", {"no cells", "`methods`"}},
        Refusal{"NoSchemes", "{study: s, methods: [rtn]}", {"no cells", "$scheme", "`schemes: [int4, ...]`"}},
        Refusal{"UnknownScheme", "{study: s, schemes: [int5], methods: [rtn]}", {"\"int5\"", "\"int4\""}},
        Refusal{"UnknownMethod",
                "{study: s, schemes: [int4], methods: [svdquan]}",
                {"\"svdquan\"", "\"svdquant\""}},
        Refusal{"EmptyMethod", "{study: s, schemes: [int4], methods: {mine: {}}}", {"`mine`", "preset"}},
        Refusal{"UnknownStage",
                "{study: s, schemes: [int4], methods: {m: {weights: rtm}}}",
                {"\"rtm\"", "\"rtn\""}},
        Refusal{"UnknownRecipeKey",
                "{study: s, schemes: [int4], methods: {m: {lowrank: {rank: 2}}}}",
                {"methods.m.lowrank", "methods.m.low_rank"}},
        Refusal{"UnknownPreset",
                "{study: s, schemes: [int4], methods: {m: {preset: svdquat}}}",
                {"svdquat", "svdquant"}},
        Refusal{"Protocol", "{" + kGrid + ", protocol: smal}", {"`protocol`", "small, full", "smal"}},
        Refusal{"ProtocolKey", "{" + kGrid + ", protocol: {item: 3}}", {"protocol.item`", "protocol.items"}},
        Refusal{"NoItems", "{" + kGrid + ", protocol: {items: 0}}", {"protocol.items", "not 0"}},
        Refusal{"StepsAsText", "{" + kGrid + ", protocol: {steps: ten}}", {"protocol.steps", "ten"}},
        Refusal{"HalfWidth",
                "{" + kGrid + ", protocol: {until_half_width_db: -1}}",
                {"until_half_width_db", "-1"}},
        Refusal{"Seed", "{" + kGrid + ", seed: -3}", {"`seed`", "-3"}},
        Refusal{"Pairs",
                "{" + kGrid + ", calibration: {pairs: 10}}",
                {"calibration.pairs", "10", "multiple", "4"}},
        Refusal{"CalibrationKey",
                "{" + kGrid + ", calibration: {pair: 10}}",
                {"calibration.pair`", "calibration.pairs"}},
        Refusal{"Backend", "{" + kGrid + ", backend: [cuda, hip]}", {"`backend`", "hip", "[fused-cpu]"}},
        Refusal{"BackendTwice", "{" + kGrid + ", backend: [cuda, cuda]}", {"`backend`", "cuda twice"}},
        Refusal{"NoBackend", "{" + kGrid + ", backend: []}", {"`backend` is empty"}},
        Refusal{"Outliers",
                "{" + kGrid + ", outliers: {channels: 2, strength: 3}}",
                {"outliers.strength", "power of two"}},
        Refusal{"SchemeKey",
                "{" + kGrid + ", scheme: {m: {weight: {}}}}",
                {"scheme.m.weight`", "scheme.m.weights"}},
        Refusal{"SchemeFormat",
                "{" + kGrid + ", scheme: {m: {weights: {format: int5}}}}",
                {"scheme.m.weights.format", "int5", "int4"}},
        Refusal{"SchemeGroup",
                "{" + kGrid + ", scheme: {m: {weights: {group: 0}}}}",
                {"scheme.m.weights.group", "0"}},
        Refusal{"SchemeGrouping",
                "{" + kGrid + ", scheme: {m: {weights: {grouping: col}}}}",
                {"row or tensor", "col"}},
        Refusal{"StaticActivations",
                "{" + kGrid + ", scheme: {m: {base: int4, activations: {dynamic: false}}}}",
                {"activations.dynamic", "true"}},
        Refusal{"ActivationsAlone", "{" + kGrid + ", scheme: {m: {activations: {}}}}", {"`m`", "weights"}},
        Refusal{
            "PlanNoMatch", "{study: s, methods: [rtn], plan: [{recipe: {scheme: int4}}]}", {"plan.0.match"}},
        Refusal{"PlanNoRecipe", "{study: s, methods: [rtn], plan: [{match: '*'}]}", {"plan.0.recipe"}},
        Refusal{"PlanNoScheme",
                "{study: s, methods: [rtn], plan: [{match: '*', recipe: {method: $method}}]}",
                {"plan.0.recipe.scheme"}},
        Refusal{"SchemesNotUsed",
                "{study: s, schemes: [int4], methods: [rtn], plan: [{match: '*', recipe: {scheme: int4, "
                "method: $method}}]}",
                {"`schemes`", "no $scheme"}},
        Refusal{"ExcludesNothing",
                "{" + kGrid + ", exclude: [{scheme: nvfp4}]}",
                {"exclude.0", "matches no cell"}},
        Refusal{"ExcludesAll", "{" + kGrid + ", exclude: [{method: rtn}]}", {"no cells left"}},
        Refusal{"CellKey", "{study: s, cells: [{scheme: int4, metod: rtn}]}", {"cells.0.method` is missing"}},
        Refusal{"CellNoScheme", "{study: s, cells: [{method: rtn}]}", {"\"rtn\"", "no scheme"}},
        Refusal{"SameCellTwice",
                "{study: s, cells: [{scheme: int4, method: rtn}, {scheme: int4, method: rtn}]}",
                {"int4-rtn", "another `name`"}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace svdlab
