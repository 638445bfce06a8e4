#include "experiments/study/layer_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/io/yaml.h"
#include "core/ir/quantize.h"
#include "core/runtime/precision.h"
#include "experiments/study/study_config.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

constexpr int64_t kItems = 2;

class LayerErrors : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_random_model(dir_.file("model"));
    const StudyConfig study =
        parse_study(parse_yaml("{study: s, model: " + dir_.file("model") +
                                   ", protocol: {items: 2, steps: 3}, calibration: {pairs: 3, "
                                   "pairs_per_item: 3}, schemes: [int4], methods: [rtn]}",
                               "t"));
    reference_ = std::make_unique<Reference>(study, OutlierDial(), dir_.file("reference"));
    reference_->ensure(kItems, {.threads = 2});
  }

  const LinearSpec& linear(const std::string& name) const {
    const Graph& graph = reference_->model().graph;
    return graph.linears[graph.linear_index(name)];
  }

  /// `name` as its own weights, held by a low-rank branch of full rank (exact) or quantized to 4 bits.
  CompressedLinear exact(const std::string& name) const {
    const LinearSpec& spec = linear(name);
    return {.name = name,
            .bias = spec.bias.to(at::kFloat),
            .branches = {LowRankBranch{spec.weight.to(at::kFloat), at::eye(spec.out_features())}}};
  }
  CompressedLinear rounded(const std::string& name) const {
    const LinearSpec& spec = linear(name);
    return {.name = name,
            .bias = spec.bias.to(at::kFloat),
            .branches = {LowBitBranch{quantize(spec.weight.to(at::kFloat), {.group = 32}), std::nullopt,
                                      spec.segments}}};
  }

  testing::TempDir dir_;
  std::unique_ptr<Reference> reference_;
};

TEST_F(LayerErrors, AVariantIsMeasuredAtItsOwnTimesteps) {
  const std::string a = "transformer_blocks.0.attn.to_q";
  const std::vector<double>& sigmas = reference_->sampler().sigmas();
  CompressedModel model;
  model.linears[a] = {.name = a};
  model.linears[a].ranges = {{(sigmas[0] + sigmas[1]) / 2, exact(a)}, {sigmas[0], rounded(a)}};
  const auto errors = layer_errors(*reference_, model, kItems, {.threads = 2});
  ASSERT_EQ(errors.at(0).steps.size(), 3u);
  EXPECT_GT(errors[0].steps[0].difference, 0);  // the first step has the largest timestep
  EXPECT_EQ(errors[0].steps[1].difference, 0);
  EXPECT_EQ(errors[0].steps[2].difference, 0);
}

TEST_F(LayerErrors, AnExactLayerHasNoErrorAndARoundedOneWhatItsWeightsSay) {
  const std::string a = "transformer_blocks.0.attn.to_q", b = "single_transformer_blocks.0.proj_out";
  CompressedModel model;
  model.linears[a] = exact(a);
  model.linears[b] = rounded(b);
  const auto errors = layer_errors(*reference_, model, kItems, {.threads = 2});
  ASSERT_EQ(errors.size(), 2u);
  ASSERT_EQ(errors[0].linear, a);
  ASSERT_EQ(errors[0].steps.size(), 3u);
  EXPECT_EQ(errors[0].total().difference, 0);
  EXPECT_EQ(sqnr_db_of(errors[0].total()), std::numeric_limits<double>::infinity());
  EXPECT_GT(errors[0].total().reference, 0);

  // The same by hand, from inputs observed one by one.
  const Tensor weight = model.linears[b].effective_weight();
  const int node = reference_->model().graph.node_of_linear(reference_->model().graph.linear_index(b));
  std::vector<PairSums> expected(3);
  for (int64_t item = 0; item < kItems; ++item)
    for (int64_t step = 0; step < 3; ++step)
      reference_->executor().run(
          reference_->sampler().inputs(reference_->item(item), reference_->trajectory(item).latents[step],
                                       step),
          [&](int n, const std::vector<Tensor>& in, const Tensor& out) {
            if (n != node) return;
            const Tensor y = at::addmm(linear(b).bias.to(at::kFloat), in[0][0], weight.t());
            add(expected[step], pair_sums(out[0], round_to(y, Precision::kBf16)));
          });
  for (int64_t step = 0; step < 3; ++step) {
    testing::expect_close(errors[1].steps[step].difference, expected[step].difference, 1e-3);
    testing::expect_close(errors[1].steps[step].reference, expected[step].reference, 1e-9);
  }
  EXPECT_GT(sqnr_db_of(errors[1].total()), 10);
  EXPECT_LT(sqnr_db_of(errors[1].total()), 35);
}

TEST(PairSumsMeasures, KnownValues) {
  const PairSums s = pair_sums(at::tensor({3.0, 4.0}), at::tensor({3.0, 3.0}));
  EXPECT_DOUBLE_EQ(relative_error_of(s), 0.2);
  EXPECT_NEAR(sqnr_db_of(s), 20 * std::log10(5.0), 1e-12);
  EXPECT_DOUBLE_EQ(cosine_of(s), 21 / (5 * std::sqrt(18.0)));
  const PairSums nan = pair_sums(at::tensor({1.0}), at::tensor({std::nan("")}));
  EXPECT_TRUE(std::isnan(relative_error_of(nan)) && std::isnan(sqnr_db_of(nan)));
}

}  // namespace
}  // namespace svdlab
