#include "core/models/outlier_dial.h"

#include <gtest/gtest.h>

#include "core/io/yaml.h"
#include "core/runtime/executor.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

constexpr OutlierDial kDial{.channels = 5, .strength = 16, .seed = 3};

NamedTensors inputs(bool guidance) {
  NamedTensors in{{"hidden_states", testing::random_tensor({1, 12, 12}, "x")},
                  {"encoder_hidden_states", testing::random_tensor({1, 4, 16}, "text")},
                  {"pooled_projections", testing::random_tensor({1, 16}, "pooled")},
                  {"timestep", at::full({1}, 0.7)},
                  {"img_ids", testing::random_tensor({12, 3}, "ids").abs().floor()},
                  {"txt_ids", at::zeros({4, 3})}};
  if (guidance) in["guidance"] = at::full({1}, 2.5);
  return in;
}

struct Observed {
  Tensor output;
  std::map<std::string, Tensor> absmax;  // per group: of each channel of its input
};

Observed observe(const Model& model, Precision precision, bool guidance = false) {
  std::map<int, std::string> nodes;
  for (const LayerGroup& g : model.graph.groups)
    nodes[model.graph.node_of_linear(g.members.front())] = g.name;
  Observed out;
  const Executor executor(model.graph, {.precision = precision});
  out.output = executor.run(inputs(guidance), [&](int node, const std::vector<Tensor>& in, const Tensor&) {
    if (nodes.count(node))
      out.absmax[nodes.at(node)] = std::get<0>(in[0].reshape({-1, in[0].size(-1)}).abs().max(0));
  });
  return out;
}

class OutlierDialTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    testing::write_random_model(folder_.path(),
                                {.double_blocks = 2, .single_blocks = 2, .guidance_embeds = GetParam()});
    plain_ = load_model(folder_.path());
    dialled_ = load_model(folder_.path());
    apply_outlier_dial(dialled_, kDial);
  }
  testing::TempDir folder_;
  Model plain_, dialled_;
};
INSTANTIATE_TEST_SUITE_P(Guidance, OutlierDialTest, ::testing::Bool());

TEST_P(OutlierDialTest, LeavesTheFunctionOfTheModelAsItIs) {
  const NoGradGuard no_grad;
  testing::expect_close(observe(dialled_, Precision::kFp32, GetParam()).output,
                        observe(plain_, Precision::kFp32, GetParam()).output, 1e-5);
  // In 16 bit, `1 + scale` rounds at another place; a wrong fold would be off by tens of per cent.
  testing::expect_close(observe(dialled_, Precision::kBf16, GetParam()).output,
                        observe(plain_, Precision::kBf16, GetParam()).output, 0.02);
}

TEST_P(OutlierDialTest, ScalesTheChosenChannelsBehindNormsAndAttentionAndNoOthers) {
  const NoGradGuard no_grad;
  const Observed before = observe(plain_, Precision::kFp32, GetParam()),
                 after = observe(dialled_, Precision::kFp32, GetParam());
  for (const LayerGroup& group : plain_.graph.groups) {
    SCOPED_TRACE(group.name);
    const LinearSpec& linear = plain_.graph.linears[group.members.front()];
    const Tensor ratio = after.absmax.at(group.name) / before.absmax.at(group.name);
    const Producer producer = linear.segments.front().producer;
    const bool scaled = producer == Producer::kModulate || producer == Producer::kAttention;
    EXPECT_EQ((ratio - kDial.strength).abs().lt(0.01).sum().item<int64_t>(), scaled ? kDial.channels : 0);
    EXPECT_EQ((ratio - 1).abs().lt(0.01).sum().item<int64_t>(),
              ratio.numel() - (scaled ? kDial.channels : 0));
  }
}

TEST_P(OutlierDialTest, RotatedValuesReachTheOutputProjectionsAloneAndLeaveTheFunction) {
  const NoGradGuard no_grad;
  Model rotated = load_model(folder_.path());
  apply_outlier_dial(rotated, {.rotate_values = true});
  const Observed before = observe(plain_, Precision::kFp32, GetParam()),
                 after = observe(rotated, Precision::kFp32, GetParam());
  testing::expect_close(after.output, before.output, 1e-5);
  testing::expect_close(observe(rotated, Precision::kBf16, GetParam()).output,
                        observe(plain_, Precision::kBf16, GetParam()).output, 0.02);
  for (const LayerGroup& group : plain_.graph.groups) {
    SCOPED_TRACE(group.name);
    const LinearSpec& linear = plain_.graph.linears[group.members.front()];
    const int64_t same =
        ((after.absmax.at(group.name) / before.absmax.at(group.name) - 1).abs() < 1e-3).sum().item<int64_t>();
    int64_t mixed = 0;
    if (linear.segments.front().producer == Producer::kAttention) mixed = linear.segments.front().size();
    EXPECT_LE(same, linear.in_features() - mixed * 9 / 10);
    EXPECT_GE(same, linear.in_features() - mixed);
  }
}

TEST_P(OutlierDialTest, ValuesAreRotatedAfterTheyWereScaled) {
  const NoGradGuard no_grad;
  OutlierDial both = kDial;
  both.rotate_values = true;
  Model model = load_model(folder_.path());
  apply_outlier_dial(model, both);
  const Observed after = observe(model, Precision::kFp32, GetParam()),
                 scaled = observe(dialled_, Precision::kFp32, GetParam());
  testing::expect_close(after.output, scaled.output, 1e-5);
  const std::string name = "transformer_blocks.0.attn.to_out.0";
  EXPECT_LT(after.absmax.at(name).max().item<float>(), scaled.absmax.at(name).max().item<float>());
}

TEST_P(OutlierDialTest, LeavesTheMappedFileAlone) {
  const Model again = load_model(folder_.path());
  for (size_t i = 0; i < again.graph.linears.size(); ++i)
    testing::expect_identical(plain_.graph.linears[i].weight, again.graph.linears[i].weight);
}

TEST(OutlierDial, OffChangesNothing) {
  testing::TempDir folder;
  testing::write_random_model(folder.path());
  Model model = load_model(folder.path());
  const void* weight = model.graph.linears[5].weight.data_ptr();
  for (const OutlierDial off :
       {OutlierDial{.channels = 0, .strength = 8}, OutlierDial{.channels = 3, .strength = 1}}) {
    EXPECT_FALSE(off.on());
    EXPECT_EQ(off.tag(), "");
    apply_outlier_dial(model, off);
  }
  EXPECT_EQ(model.graph.linears[5].weight.data_ptr(), weight);
  EXPECT_EQ((OutlierDial{8, 16, 0}).tag(), "outliers-8x16");
  EXPECT_EQ((OutlierDial{8, 16, 2}).tag(), "outliers-8x16-seed2");
  EXPECT_EQ((OutlierDial{8, 16, 0, true}).tag(), "outliers-8x16-rotated-values");
  EXPECT_EQ((OutlierDial{.rotate_values = true}).tag(), "rotated-values");
}

TEST(OutlierDial, RefusesWhatItCannotDoExactly) {
  const auto parse = [](const std::string& yaml) {
    return parse_outlier_dial(parse_yaml(yaml, "t"), "outliers");
  };
  EXPECT_EQ(parse("{channels: 4, strength: 32, seed: 1}"), (OutlierDial{4, 32, 1}));
  EXPECT_EQ(parse("{rotate_values: true}"), (OutlierDial{.rotate_values = true}));
  using testing::throws_error;
  EXPECT_TRUE(throws_error([&] { parse("{channels: 4, strength: 12}"); }, Errc::kConfig,
                           {"power of two", "12", "nearest: 16"}));
  EXPECT_TRUE(throws_error([&] { parse("{channels: 4, strength: 0.5}"); }, Errc::kConfig,
                           {"outliers.strength", "0.5"}));
  EXPECT_TRUE(throws_error([&] { parse("{channels: -1}"); }, Errc::kConfig, {"channels -1"}));
  EXPECT_TRUE(
      throws_error([&] { parse("{chanels: 1}"); }, Errc::kConfig, {"outliers.chanels", "outliers.channels"}));
  testing::TempDir folder;
  testing::write_random_model(folder.path());
  Model model = load_model(folder.path());
  EXPECT_TRUE(throws_error([&] { apply_outlier_dial(model, {.channels = 65, .strength = 2}); }, Errc::kConfig,
                           {"outliers.channels is 65", "64"}));
}

}  // namespace
}  // namespace svdlab
