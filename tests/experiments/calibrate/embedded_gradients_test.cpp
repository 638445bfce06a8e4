// The properties of FWSVD, LQ-LoRA and LoRD on layers of the embedded model, with its own gradients.
#include <gtest/gtest.h>

#include <cmath>

#include "core/io/yaml.h"
#include "core/runtime/single_thread.h"
#include "experiments/calibrate/calibrate.h"
#include "lowrank/compress_group.h"
#include "lowrank/factors.h"
#include "lowrank/fisher_facts.h"
#include "quant/keep_mask.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

constexpr const char* kFolder = SVDLAB_SOURCE_DIR "/notebooks_data/models/flux-cifar";
const std::vector<std::string> kLayers = {
    "transformer_blocks.0.attn.to_q", "transformer_blocks.0.ff.net.2", "transformer_blocks.1.attn.to_add_out",
    "single_transformer_blocks.0.proj_mlp", "single_transformer_blocks.5.proj_out"};

// One model and its statistics for all tests of this file.
class EmbeddedGradients : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    model_ = new Model(load_model(kFolder));
    CalibrationOptions options{.pairs = 4, .pairs_per_item = 2, .tokens = 256, .steps = 3, .guidance = 2};
    options.gradients = true;
    options.full_gradients = {model_->graph.group_of(model_->graph.linear_index(kLayers[0])).name};
    options.threads = 2;
    stats_ =
        new StatsMap(calibrate(*model_, load_conditioning(kFolder), load_sampling_facts(kFolder), options));
  }
  static void TearDownTestSuite() {
    delete stats_;
    delete model_;
  }

  const SingleThreadScope single_;
  const std::unique_ptr<LowRankSolver> solver_ = [] {
    const Value none = Value::map();
    Fields fields(none, "low_rank");
    return low_rank_solvers().at("gram")(fields);
  }();

  static Tensor weight(const std::string& layer) {
    return model_->graph.linears[model_->graph.linear_index(layer)].weight.to(at::kFloat);
  }
  static const ActivationStats& stats(const std::string& layer) {
    return stats_->at(model_->graph.group_of(model_->graph.linear_index(layer)).name);
  }
  static NormWeights weights(const std::string& objective, const std::string& layer) {
    const Value none = Value::map();
    Fields fields(none, "objective");
    const WeightFisher& f = stats(layer).fisher.at(layer);
    return low_rank_objectives().at(objective)(fields)->weights(
        {.gram = stats(layer).gram, .fisher_rows = f.row_mean(), .fisher_cols = f.col_mean()});
  }

  static Model* model_;
  static StatsMap* stats_;
};
Model* EmbeddedGradients::model_ = nullptr;
StatsMap* EmbeddedGradients::stats_ = nullptr;

TEST_F(EmbeddedGradients, EveryLinearHasSomeAndTheyAreUnequal) {
  for (const LinearSpec& linear : model_->graph.linears) {
    const WeightFisher& f = stats(linear.name).fisher.at(linear.name);
    EXPECT_EQ(f.samples, 4) << linear.name;
    const Tensor rows = f.row_mean();
    const double ratio = (rows.max() / rows.mean()).item<double>();
    // The last linear's outputs are the model's own: all count the same, but for the noise of four samples.
    EXPECT_TRUE(linear.name == "proj_out" ? ratio < 2 : ratio > 1.5) << linear.name << " " << ratio;
    EXPECT_TRUE(rows.min().item<double>() >= 0) << linear.name;
  }
}

TEST_F(EmbeddedGradients, WeightedBranchesAreBestInTheirNormAndPlainOnesInTheirs) {
  for (const char* objective : {"fisher-rows", "fisher"})
    for (const std::string& layer : kLayers)
      for (const int64_t rank : {8, 32}) {
        const Tensor w = weight(layer);
        const WeightedSolver weighted(*solver_, weights(objective, layer));
        const LowRankFactors ours = weighted.solve(w, rank), plain = solver_->solve(w, rank);
        const double gain = weighted.residual(w, ours) / weighted.residual(w, plain),
                     price = residual_energy(w, ours) / residual_energy(w, plain);
        std::printf("%-12s %-45s rank %2ld: own norm %.4f, plain norm %.4f\n", objective, layer.c_str(), rank,
                    gain, price);
        EXPECT_TRUE(gain < 0.999) << layer << " " << rank << ": " << gain;
        EXPECT_TRUE(price >= 1 - 1e-6) << layer << " " << rank << ": " << price;
      }
}

// LQ-LoRA: each round's error is no larger than the last one's, and gradients move it to where they are
// small.
TEST_F(EmbeddedGradients, AlternatingFitsBetterThanOneRoundAndThatBetterThanRounding) {
  for (const std::string& layer : kLayers) {
    const Tensor w = weight(layer);
    GroupProblem p{.name = layer, .linear_names = {layer}, .weights = {w}, .branches = {{0}}};
    p.segments = {{0, w.size(1), Producer::kModulate}};
    p.stats = &stats(layer);
    p.scheme = scheme_named("w4a16-nf4-g64");
    const auto rest = [&](const std::string& preset) {
      const Recipe recipe = parse_recipe(parse_yaml("preset: " + preset, "test"), "");
      return w - compress_group({&p, 1}, recipe, {}).linears[0].effective_weight();
    };
    const Tensor rounded = rest("rtn"), once = rest("lorc"), often = rest("lq-lora"),
                 by_gradients = rest("lq-lora-fisher");
    const WeightedSolver fisher(*solver_, weights("fisher", layer));
    std::printf(
        "%-45s lorc %.4f, lq-lora %.4f of rounding's error; fisher norm: lq-lora-fisher %.4f of lq-lora's\n",
        layer.c_str(), energy(once) / energy(rounded), energy(often) / energy(rounded),
        fisher.residual(by_gradients, {}) / fisher.residual(often, {}));
    EXPECT_TRUE(energy(once) < energy(rounded)) << layer;
    EXPECT_TRUE(energy(often) < 0.999 * energy(once)) << layer << " " << energy(often) / energy(once);
    EXPECT_TRUE(fisher.residual(by_gradients, {}) < fisher.residual(often, {})) << layer;
  }
}

// LoRD as written, by the output covariance, against the whitened norm's branch: the same output error.
TEST_F(EmbeddedGradients, TheOutputsLeadingDirectionsAreTheWhitenedBranch) {
  for (const std::string& layer : kLayers) {
    const Tensor w = weight(layer), wide = w.to(at::kDouble), gram = stats(layer).gram;
    const auto error = [&](const Tensor& rest) { return (rest.matmul(gram) * rest).sum().item<double>(); };
    const auto [values, vectors] = at::linalg_eigh(wide.matmul(gram).matmul(wide.t()));
    const WeightedSolver whitened(*solver_, weights("whitened", layer));
    for (const int64_t rank : {4, 16, 64}) {
      const Tensor v = vectors.slice(1, w.size(0) - rank);
      const double lord = error(wide - v.matmul(v.t().matmul(wide)));
      const LowRankFactors f = whitened.solve(w, rank), plain = solver_->solve(w, rank);
      const auto of = [&](const LowRankFactors& g) {
        return error(wide - g.up.to(at::kDouble).matmul(g.down.to(at::kDouble)));
      };
      // What calibration saw of the conditioning tokens has few directions: there both are all but nothing.
      EXPECT_TRUE(std::abs(of(f) - lord) <= 1e-3 * lord + 1e-7 * error(wide))
          << layer << " " << rank << ": " << of(f) << " " << lord << " of " << error(wide);
      EXPECT_TRUE(lord < 0.99 * of(plain)) << layer << " " << rank << ": " << lord / of(plain);
    }
  }
}

TEST_F(EmbeddedGradients, TheLargestGradientsHoldMoreOfTheSensitivityThanTheLargestWeights) {
  const WeightFisher& f = stats(kLayers[0]).fisher.at(kLayers[0]);
  ASSERT_TRUE(f.full.defined());
  const Tensor w = weight(kLayers[0]);
  const auto share = [&](const Tensor& importance) {
    return (f.full.masked_select(keep_mask(importance, 0.01)).sum() / f.full.sum()).item<double>();
  };
  const double gradients = share(f.full), magnitudes = share(w.abs());
  std::printf("1 %% of the elements hold %.3f of E[g^2] by gradient, %.3f by magnitude\n", gradients,
              magnitudes);
  EXPECT_TRUE(gradients > 0.03) << gradients;
  EXPECT_TRUE(gradients > magnitudes) << gradients << " " << magnitudes;
}

}  // namespace
}  // namespace svdlab
