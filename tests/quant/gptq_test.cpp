#include "core/io/yaml.h"
#include "core/ir/quantize.h"
#include "quant/weight_quantizer.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_identical;

constexpr int64_t kRows = 48, kChannels = 256;

QuantizedTensor gptq(const Tensor& w, const TensorScheme& scheme, const Tensor& gram,
                     const std::string& yaml = "{}") {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "weights.gptq");
  const auto quantizer = weight_quantizers().at("gptq")(fields);
  fields.finish();
  return quantizer->quantize(w, scheme, {.gram = gram});
}

Tensor weight() { return testing::random_tensor({kRows, kChannels}, "gptq-w"); }

// Inputs of unequal power that share directions, as activations do.
Tensor correlated_gram(int64_t tokens = 1024) {
  const Tensor mix = testing::random_tensor({32, kChannels}, "gptq-mix");
  const Tensor common = testing::random_tensor({tokens, 32}, "gptq-common").matmul(mix);
  const Tensor own = testing::random_tensor({tokens, kChannels}, "gptq-own");
  const Tensor x = ((common + own) * at::logspace(-1, 1, kChannels)).to(at::kDouble);
  return x.t().matmul(x);
}

// ||X (W - Wq)^T||^2 through the Gram matrix.
double output_error(const Tensor& w, const QuantizedTensor& q, const Tensor& gram) {
  const Tensor d = (w - dequantize(q)).to(at::kDouble);
  return (d.matmul(gram) * d).sum().item<double>();
}

class GptqFormats : public ::testing::TestWithParam<std::string> {};

TEST_P(GptqFormats, BeatsRoundToNearestInOutputError) {
  const TensorScheme scheme = *scheme_named(GetParam()).weights;
  const Tensor gram = correlated_gram();
  const double nearest = output_error(weight(), quantize(weight(), scheme), gram);
  for (const char* options : {"{}", "{act_order: false}", "{block: 32}", "{block: 1000}"}) {
    const double compensated = output_error(weight(), gptq(weight(), scheme, gram, options), gram);
    EXPECT_TRUE(compensated < 0.7 * nearest) << options << ": " << compensated << " against " << nearest;
  }
}

TEST_P(GptqFormats, UncorrelatedInputIsRoundToNearest) {
  const TensorScheme scheme = *scheme_named(GetParam()).weights;
  const QuantizedTensor q = gptq(weight(), scheme, at::eye(kChannels, at::kDouble) * 3.5);
  expect_identical(q.codes, quantize(weight(), scheme).codes);
}

TEST_P(GptqFormats, ScalesAreThoseOfRoundToNearest) {
  const TensorScheme scheme = *scheme_named(GetParam()).weights;
  const QuantizedTensor q = gptq(weight(), scheme, correlated_gram()), nearest = quantize(weight(), scheme);
  expect_identical(q.scales, nearest.scales);
  EXPECT_EQ(q.tensor_scale, nearest.tensor_scale);
}

INSTANTIATE_TEST_SUITE_P(All, GptqFormats,
                         ::testing::Values("w8a8", "int4", "nvfp4", "mxfp4", "w4a16-nf4-g64",
                                           "w4a16-int4-g64"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Gptq, TakesScalesZerosAndLevelsFromAnyQuantizer) {
  const TensorScheme scheme = *scheme_named("w4a16-int4-g64").weights;
  const Tensor gram = correlated_gram();
  for (const std::string& name : weight_quantizers().names()) {
    if (name == "gptq") continue;
    SCOPED_TRACE(name);
    const Value none = Value::map();
    Fields fields(none, "weights");
    const QuantizedTensor grid = weight_quantizers().at(name)(fields)->quantize(weight(), scheme,
                                                                                {.gram = gram}),
                          q = gptq(weight(), scheme, gram, "{grid: " + name + "}");
    EXPECT_EQ(q.scheme, grid.scheme);
    expect_identical(q.scales, grid.scales);
    ASSERT_EQ(q.zeros.defined(), grid.zeros.defined());
    if (grid.zeros.defined()) expect_identical(q.zeros, grid.zeros);
    ASSERT_EQ(q.codebook.defined(), grid.codebook.defined());
    if (grid.codebook.defined()) expect_identical(q.codebook, grid.codebook);
    const double nearest = output_error(weight(), grid, gram), carried = output_error(weight(), q, gram);
    EXPECT_TRUE(carried < 0.9 * nearest) << carried << " against " << nearest;
  }
}

// More rows than are taken at once: zero points are cut like scales.
TEST(Gptq, BlocksOfRowsDoNotMatterToZeroPoints) {
  const TensorScheme scheme = *scheme_named("w4a16-int4-g64").weights;
  const Tensor gram = correlated_gram(), w = weight().repeat({12, 1}) + 0.5;
  const QuantizedTensor whole = gptq(w, scheme, gram, "{grid: affine}"),
                        part = gptq(w.slice(0, 528).contiguous(), scheme, gram, "{grid: affine}");
  ASSERT_GT(w.size(0), 512);
  expect_identical(whole.codes.slice(0, 528).contiguous(), part.codes);
}

TEST(Gptq, SearchedScalesAreAGridLikeOthers) {
  const TensorScheme scheme = *scheme_named("nvfp4").weights;
  const Tensor gram = correlated_gram();
  const QuantizedTensor a = gptq(weight(), scheme, gram, "{scales: search, steps: 2}"),
                        b = gptq(weight(), scheme, gram, "{grid: {scale-search: {steps: 2}}}");
  expect_identical(a.codes, b.codes);
  expect_identical(a.scales, b.scales);
}

TEST(Gptq, RefusesAGridThatCarriesErrorsOn) {
  const auto refuses = [](const char* options, const std::vector<std::string>& parts) {
    return testing::throws_error([&] { gptq(weight(), {}, at::eye(kChannels, at::kDouble), options); },
                                 Errc::kConfig, parts);
  };
  EXPECT_TRUE(refuses("{grid: gptq}", {"grid", "carry errors on"}));
  EXPECT_TRUE(refuses("{grid: nff}", {"nff", "nf"}));
  EXPECT_TRUE(refuses("{grid: {nf: {bit: 3}}}", {"bit", "bits"}));
  EXPECT_TRUE(refuses("{scales: nf}", {"scales", "grid"}));
}

// With one column left to adjust, the update has a closed form: w1 - (w0 - q0) H01 / H11.
TEST(Gptq, TwoChannelsByHand) {
  const TensorScheme scheme{
      .format = NumberFormat::kInt4, .grouping = Grouping::kRow, .scale = ScaleFormat::kFp32};
  const Tensor w = at::tensor({7.0f, 1.4f}).unsqueeze(0);  // scale 1; 1.4 rounds to 1
  const Tensor gram = at::tensor({4.0, 3.0, 3.0, 9.0}, at::kDouble).reshape({2, 2});
  // Descending diagonal: channel 1 first, its error 0.4 moves channel 0 by 0.4 * 3 / 4 = 0.3 to 7.3, which
  // rounds to 7.
  EXPECT_EQ(gptq(w, scheme, gram, "{damping: 0}").codes[0][0].item<int>(), 7);
  // A stronger correlation moves it further; in the other direction it leaves code 7: 7 - 0.4 * 3.8 / 1.5
  // = 5.99.
  const Tensor strong = at::tensor({1.5, -3.8, -3.8, 12.0}, at::kDouble).reshape({2, 2});
  EXPECT_EQ(gptq(w, scheme, strong, "{damping: 0}").codes[0][0].item<int>(), 6);
}

TEST(Gptq, BlockSizeDoesNotMatter) {
  const TensorScheme scheme = *scheme_named("int4").weights;
  const Tensor gram = correlated_gram();
  const Tensor whole = gptq(weight(), scheme, gram, "{block: 256}").codes;
  const Tensor blocks = gptq(weight(), scheme, gram, "{block: 48}").codes;
  // The order of additions differs, so a value on a tie may fall to the other side.
  EXPECT_LE((whole != blocks).sum().item<int64_t>(), kRows * kChannels / 1000);
}

TEST(Gptq, DeadChannelsAreRoundedToNearest) {
  const TensorScheme scheme = *scheme_named("int4").weights;
  Tensor gram = correlated_gram();
  for (const int64_t dead : {0, 100, 255}) gram[dead].zero_(), gram.select(1, dead).zero_();
  const QuantizedTensor q = gptq(weight(), scheme, gram, "{damping: 0}");
  const Tensor nearest = quantize(weight(), scheme).codes;
  for (const int64_t dead : {0, 100, 255}) expect_identical(q.codes.select(1, dead), nearest.select(1, dead));
  expect_identical(gptq(weight(), scheme, at::zeros_like(gram)).codes, nearest);
}

TEST(Gptq, SingularGramGetsMoreDamping) {
  const TensorScheme scheme = *scheme_named("int4").weights;
  const Tensor gram = correlated_gram(/*tokens=*/16);  // rank 16 of 256
  const double nearest = output_error(weight(), quantize(weight(), scheme), gram);
  const double compensated = output_error(weight(), gptq(weight(), scheme, gram, "{damping: 0}"), gram);
  EXPECT_TRUE(compensated < nearest) << compensated << " against " << nearest;
}

TEST(Gptq, RefusesWhatItCannotUse) {
  const TensorScheme scheme = *scheme_named("int4").weights;
  Tensor gram = correlated_gram();
  gram[3][4] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(
      testing::throws_error([&] { gptq(weight(), scheme, gram); }, Errc::kInput, {"Gram matrix", "NaN"}));
  const Tensor indefinite = at::full({kChannels, kChannels}, 1e30, at::kDouble).fill_diagonal_(1.0);
  EXPECT_TRUE(testing::throws_error([&] { gptq(weight(), scheme, indefinite); }, Errc::kInput,
                                    {"not positive definite", "tries"}));
  EXPECT_TRUE(
      testing::throws_error([&] { gptq(weight(), scheme, gram, "{block: 0}"); }, Errc::kConfig, {"block"}));
  EXPECT_TRUE(testing::throws_error([&] { gptq(weight(), scheme, gram, "{dampening: 1}"); }, Errc::kConfig,
                                    {"dampening", "damping"}));
}

}  // namespace
}  // namespace svdlab
