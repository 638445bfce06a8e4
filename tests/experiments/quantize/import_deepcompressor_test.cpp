#include "experiments/quantize/import_deepcompressor.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "experiments/cli/command.h"
#include "experiments/quantize/quantize_config.h"
#include "experiments/study/cell_config.h"
#include "lowrank/compress_model.h"
#include "tests/core/io/exported_flux.h"

namespace svdlab {
namespace {

using testing::throws_error;
using Fate = ImportedKey::Fate;

// Settings as DeepCompressor's shipped files have them.
constexpr const char* kSvdquant = R"(
quant:
  enable_smooth: true
  smooth:
    enable_proj: true
    proj: {objective: OutputsError, strategy: GridSearch, granularity: Layer, spans: [[AbsMax, AbsMax]], alpha: 0.5,
           beta: -2, num_grids: 20, allow_low_rank: true, fuse_when_possible: false,
           skips: [embed, resblock, transformer_proj_in, transformer_norm, transformer_add_norm, up_sample]}
  wgts:
    enable_low_rank: true
    low_rank: {rank: 32, early_stop: true, degree: 2, objective: OutputsError, num_iters: 100,
               skips: [embed, resblock, transformer_proj_in, transformer_norm, transformer_add_norm, up_sample]}
)";
constexpr const char* kInt4 = R"(
quant:
  wgts: {dtype: sint4, group_shapes: [[1, 64, 1, 1, 1]], scale_dtypes: [null]}
  ipts: {static: false, dtype: sint4, group_shapes: [[1, 64, 1, 1, 1]], scale_dtypes: [null], allow_unsigned: true}
pipeline: {shift_activations: true}
)";
constexpr const char* kNvfp4 = R"(
quant:
  wgts: {dtype: sfp4_e2m1_all, group_shapes: [[-1, -1], [1, 16, 1, 1, 1]], scale_dtypes: [null, sfp8_e4m3_nan]}
  ipts: {static: false, dtype: sfp4_e2m1_all, group_shapes: [[1, 16, 1, 1, 1]], scale_dtypes: [sfp8_e4m3_nan]}
  enable_extra_wgts: true
  extra_wgts: {dtype: sint4, group_shapes: [[1, 64, 1, 1, 1]], scale_dtypes: [null],
               includes: [transformer_norm, transformer_add_norm]}
)";
constexpr const char* kGptq = R"(
quant: {wgts: {enable_kernel_gptq: true,
               kernel_gptq: {damp_percentage: 0.02, block_size: 64, num_inv_tries: 250, hessian_block_size: 512}}}
)";
constexpr const char* kFlux = R"(
pipeline: {name: flux.1-dev, dtype: torch.bfloat16}
eval: {num_steps: 50, guidance_scale: 3.5, protocol: "fmeuler{num_steps}-g{guidance_scale}"}
quant:
  calib: {batch_size: 16, num_samples: 128}
  wgts:
    calib_range: {element_batch_size: 64, sample_batch_size: 16}
    low_rank: {sample_batch_size: 16, sample_size: -1}
    skips: [embed, resblock_shortcut, transformer_proj_in, transformer_proj_out, down_sample, up_sample]
  ipts:
    skips: [embed, resblock_shortcut, transformer_proj_in, transformer_proj_out, transformer_norm,
            transformer_add_norm, down_sample, up_sample]
)";

class ImportDeepCompressor : public ::testing::Test {
 protected:
  ImportedConfig read(const std::vector<const char*>& texts) const {
    std::vector<std::string> files;
    for (const char* text : texts) {
      files.push_back(dir_.file(std::to_string(files.size()) + ".yaml"));
      write_file(files.back(), text);
    }
    return import_deepcompressor(files);
  }
  QuantizeConfig loaded(const ImportedConfig& imported) const {
    write_file(dir_.file("ours.yaml"), imported.text());
    return load_quantize_config({dir_.file("ours.yaml")}, {});
  }
  Fate fate(const ImportedConfig& imported, const std::string& key) const {
    for (const ImportedKey& k : imported.keys)
      if (k.key == key) return k.fate;
    ADD_FAILURE() << key;
    return Fate::kNoCounterpart;
  }
  // Scheme of every linear of a FLUX under the configuration.
  std::map<std::string, std::pair<Scheme, Recipe>> schemes(const QuantizeConfig& config) const {
    const Graph graph = testing::small_flux();
    const Plan plan = plan_for(graph, config.cell);
    const std::vector<int> rules = assign_rules(graph, plan);
    std::map<std::string, std::pair<Scheme, Recipe>> out;
    for (size_t i = 0; i < rules.size(); ++i)
      out[graph.linears[i].name] = {plan[rules[i]].scheme, plan[rules[i]].recipe};
    return out;
  }

  testing::TempDir dir_;
};

TEST_F(ImportDeepCompressor, TheShippedFluxStackMeansTheSame) {
  const ImportedConfig imported = read({kFlux, kSvdquant, kInt4, kGptq});
  EXPECT_EQ(imported.of(Fate::kNoCounterpart), std::vector<std::string>());
  const auto layers = schemes(loaded(imported));
  const auto& [scheme, recipe] = layers.at("transformer_blocks.0.attn.to_q");
  EXPECT_EQ(scheme, scheme_named("int4"));
  EXPECT_EQ(recipe.to_value().canonical_json(),
            parse_recipe(parse_yaml("{transform: {smooth: {grid: 20}}, driver: {svdquant: {iterations: 100, "
                                    "early_stop: true}}, low_rank: {rank: 32, solver: randomized}, weights: "
                                    "{gptq: {damping: 0.02, block: 64}}}",
                                    "test"),
                         "")
                .to_value()
                .canonical_json());
  EXPECT_EQ(layers.at("transformer_blocks.0.ff_context.net.2").first, scheme);
  EXPECT_EQ(layers.at("single_transformer_blocks.0.proj_out").first, scheme);
  for (const char* adaln : {"transformer_blocks.0.norm1.linear", "transformer_blocks.0.norm1_context.linear",
                            "single_transformer_blocks.0.norm.linear"}) {
    EXPECT_EQ(layers.at(adaln).first, scheme_named("w4a16-int4-g64"));
    EXPECT_EQ(layers.at(adaln).second.rank, 0);
  }
  for (const char* outside : {"x_embedder", "context_embedder", "proj_out", "norm_out.linear"})
    EXPECT_FALSE(layers.at(outside).first.weights.has_value()) << outside;
}

TEST_F(ImportDeepCompressor, Nvfp4HasTwoLevelsAndExtraWeights) {
  const ImportedConfig imported = read({kFlux, kSvdquant, kNvfp4});
  EXPECT_EQ(imported.of(Fate::kNoCounterpart), std::vector<std::string>());
  const auto layers = schemes(loaded(imported));
  EXPECT_EQ(layers.at("transformer_blocks.0.attn.to_q").first, scheme_named("nvfp4"));
  EXPECT_EQ(layers.at("transformer_blocks.0.attn.to_q").second.weights, "rtn");
  EXPECT_EQ(layers.at("transformer_blocks.0.norm1.linear").first, scheme_named("w4a16-int4-g64"));
}

TEST_F(ImportDeepCompressor, EveryKeyHasAFateAndALine) {
  const ImportedConfig imported =
      read({kFlux, kSvdquant, kInt4, "quant: {invented: {key: 3}, smooth: {attn: {alpha: 0.5}}}"});
  EXPECT_EQ(imported.of(Fate::kNoCounterpart),
            (std::vector<std::string>{"quant.smooth.attn.alpha", "quant.invented.key"}));
  EXPECT_EQ(fate(imported, "eval.num_steps"), Fate::kElsewhere);
  EXPECT_EQ(fate(imported, "quant.calib.num_samples"), Fate::kElsewhere);
  EXPECT_EQ(fate(imported, "quant.wgts.low_rank.sample_size"), Fate::kNoEffect);
  EXPECT_EQ(fate(imported, "quant.wgts.low_rank.rank"), Fate::kTranslated);
  EXPECT_EQ(fate(read({kSvdquant, kInt4, "quant: {wgts: {skips: [embed, attn_k]}}"}), "quant.wgts.skips"),
            Fate::kNoCounterpart);
  const std::string text = imported.text();
  for (const ImportedKey& k : imported.keys) {
    EXPECT_NE(text.find("#   " + k.key + ": "), std::string::npos) << k.key;
    EXPECT_FALSE(k.note.empty()) << k.key;
  }
}

TEST_F(ImportDeepCompressor, OtherChoicesBecomeOtherStages) {
  const auto recipe = [&](const char* change) {
    return loaded(read({kSvdquant, kInt4, change})).cell.rules[0].rule.recipe;
  };
  EXPECT_EQ(recipe("quant: {enable_smooth: false}").transform, "none");
  EXPECT_EQ(recipe("quant: {wgts: {low_rank: {compensate: true}}}").driver, "lorc");
  EXPECT_EQ(recipe("quant: {wgts: {enable_low_rank: false}}").rank, 0);
  EXPECT_EQ(recipe("quant: {smooth: {proj: {strategy: Manual, alpha: 0.75, beta: -1}}}")
                .transform_options.canonical_json(),
            R"({"alpha":0.75,"beta":0.25})");
  EXPECT_EQ(recipe("quant: {smooth: {proj: {num_grids: 10}}}").transform_options.canonical_json(),
            R"({"grid":10})");
  const ImportedConfig rows =
      read({kSvdquant, kInt4, "quant: {wgts: {group_shapes: [[1, -1]]}, ipts: {dtype: null}}"});
  const Scheme scheme = loaded(rows).cell.rules[0].rule.scheme;
  EXPECT_EQ(scheme.weights->grouping, Grouping::kRow);
  EXPECT_FALSE(scheme.activations.has_value());
  EXPECT_EQ(
      fate(read({kSvdquant, kInt4, "pipeline: {shift_activations: false}"}), "quant.ipts.allow_unsigned"),
      Fate::kNoCounterpart);
}

TEST_F(ImportDeepCompressor, RefusesWhatNoSchemeHas) {
  const auto refused = [&](const char* change, const std::vector<std::string>& parts) {
    return throws_error([&] { read({kSvdquant, kInt4, change}); }, Errc::kConfig, parts);
  };
  EXPECT_TRUE(
      refused("quant: {wgts: {dtype: sfp6_e2m3_all}}", {"2.yaml", "quant.wgts.dtype", "sfp6_e2m3_all"}));
  EXPECT_TRUE(refused("quant: {wgts: {scale_dtypes: [sfp5]}}", {"quant.wgts.scale_dtypes", "sfp5"}));
  EXPECT_TRUE(refused("quant: {wgts: {group_shapes: [[2, 64]]}}", {"quant.wgts.group_shapes", "[[2,64]]"}));
  EXPECT_TRUE(refused("quant: {wgts: {zero_point: PostScale}}", {"quant.wgts.zero_point"}));
  EXPECT_TRUE(refused("quant: {ipts: {static: true}}", {"quant.ipts.static"}));
  EXPECT_TRUE(refused("quant: {wgts: {low_rank: {rank: -1}}}", {"low_rank.rank", "-1"}));
  EXPECT_TRUE(throws_error([&] { read({kSvdquant}); }, Errc::kConfig, {"quant.wgts.dtype", "int4.yaml"}));
  EXPECT_EQ(run_program({"config", "import-deepcompresor", "x"}), 2);
}

}  // namespace
}  // namespace svdlab
