#include "quant/scale_search.h"

#include "core/formats/fp8_e4m3.h"
#include "core/io/yaml.h"
#include "core/ir/quantize.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::random_tensor;
using Weighting = ScaleSearchOptions::Weighting;

constexpr int64_t kRows = 48, kChannels = 128;

Tensor weight() { return random_tensor({kRows, kChannels}, "scales-w"); }

Tensor gram() {
  const Tensor x =
      (random_tensor({512, 16}, "scales-common").matmul(random_tensor({16, kChannels}, "scales-mix")) +
       random_tensor({512, kChannels}, "scales-own"))
          .mul(at::logspace(-1, 1, kChannels))
          .to(at::kDouble);
  return x.t().matmul(x);
}

QuantizedTensor searched(const Tensor& w, const TensorScheme& scheme, const ScaleSearchOptions& options = {},
                         int threads = 1) {
  WeightContext context;
  context.gram = gram();
  context.threads = threads;
  return search_scales(w, scheme, context, options);
}

// What the search minimises: per group of columns, summed.
double cost(const Tensor& w, const QuantizedTensor& q, Weighting weighting) {
  const Tensor d = (w - dequantize(q)).to(at::kDouble), g = gram();
  if (weighting == Weighting::kNone) return d.square().sum().item<double>();
  if (weighting == Weighting::kDiagonal) return (d.square() * g.diagonal()).sum().item<double>();
  const int64_t group = q.scheme.grouping == Grouping::kGroup ? q.scheme.group : w.size(1);
  double sum = 0;
  for (int64_t c = 0; c < w.size(1); c += group) {
    const Tensor part = d.slice(1, c, c + group);
    sum += (part.matmul(g.slice(0, c, c + group).slice(1, c, c + group)) * part).sum().item<double>();
  }
  return sum;
}

class ScaleSearchFormats : public ::testing::TestWithParam<std::string> {
 protected:
  TensorScheme scheme() const { return *scheme_named(GetParam()).weights; }
};

TEST_P(ScaleSearchFormats, LowersItsOwnCostUnderEveryWeighting) {
  const QuantizedTensor plain = quantize(weight(), scheme());
  for (const Weighting weighting : {Weighting::kNone, Weighting::kDiagonal, Weighting::kBlock}) {
    ScaleSearchOptions options;
    options.weighting = weighting;
    const double before = cost(weight(), plain, weighting),
                 after = cost(weight(), searched(weight(), scheme(), options), weighting);
    EXPECT_TRUE(after <= 0.99 * before) << static_cast<int>(weighting) << ": " << after << " of " << before;
  }
}

TEST_P(ScaleSearchFormats, ScalesAreValuesOfTheScaleFormat) {
  const QuantizedTensor q = searched(weight(), scheme());
  if (scheme().scale == ScaleFormat::kBf16)
    expect_identical(q.scales, q.scales.to(at::kBFloat16).to(at::kFloat));
  if (scheme().scale == ScaleFormat::kE4M3)
    for (int64_t i = 0; i < q.scales.numel(); ++i) {
      const float s = q.scales.flatten()[i].item<float>();
      ASSERT_EQ(fp8_e4m3_decode(fp8_e4m3_encode(s)), s);
    }
  if (scheme().scale == ScaleFormat::kE8M0) expect_identical(q.scales.log2(), q.scales.log2().round());
}

TEST_P(ScaleSearchFormats, CodesAreNearestUnderTheScalesFound) {
  const QuantizedTensor q = searched(weight(), scheme());
  QuantizedTensor again = empty_quantized(scheme(), kRows, kChannels);
  const Tensor w = weight();
  encode_matrix(matrix_view<float>(w, "w"), nullptr, quantize_spec(scheme(), kChannels),
                matrix_view<float>(q.scales, "scales"), q.tensor_scale,
                matrix_view<uint8_t>(again.codes, "codes"));
  expect_identical(q.codes, again.codes);
}

TEST_P(ScaleSearchFormats, ThreadsChangeNothing) {
  const Tensor w = random_tensor({700, kChannels}, "scales-tall");
  const QuantizedTensor one = searched(w, scheme()), three = searched(w, scheme(), {}, 3);
  expect_identical(one.codes, three.codes);
  expect_identical(one.scales, three.scales);
  EXPECT_EQ(one.tensor_scale, three.tensor_scale);
}

INSTANTIATE_TEST_SUITE_P(All, ScaleSearchFormats,
                         ::testing::Values("int4", "nvfp4", "mxfp4", "w4a16-nf4-g64"), [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// A group of fifteen ones and an outlier that costs nothing: the scale should serve the ones.
TEST(ScaleSearch, ForgetsAnOutlierWhoseInputIsAlwaysZero) {
  const TensorScheme scheme{.group = 16, .scale = ScaleFormat::kFp32};
  Tensor w = at::linspace(0.1, 1.5, 16).unsqueeze(0).contiguous();
  WeightContext context;
  context.gram = at::eye(16, at::kDouble);
  context.gram[15][15] = 0;
  ScaleSearchOptions options;
  options.shrink = 0.5;
  w[0][15] = 2.5;
  const QuantizedTensor q = search_scales(w, scheme, context, options);
  EXPECT_LT(q.scales.item<double>(), 2.5 / 7 * 0.9);
}

TEST(ScaleSearch, TheTensorScaleIsSearchedToo) {
  const TensorScheme scheme = *scheme_named("nvfp4").weights;
  ScaleSearchOptions one, many;
  one.tensor_grid = 1, many.tensor_grid = 8;
  const double with_one = cost(weight(), searched(weight(), scheme, one), Weighting::kBlock),
               with_many = cost(weight(), searched(weight(), scheme, many), Weighting::kBlock);
  EXPECT_TRUE(with_many <= with_one) << with_many << " " << with_one;
  EXPECT_EQ(searched(weight(), scheme, one).tensor_scale, quantize(weight(), scheme).tensor_scale);
}

TEST(ScaleSearch, OneScaleForTheWholeMatrixIsSearchedOverAllRows) {
  const TensorScheme scheme{.grouping = Grouping::kTensor, .scale = ScaleFormat::kFp32};
  const QuantizedTensor q = searched(weight(), scheme);
  ASSERT_EQ(q.scales.sizes(), (std::vector<int64_t>{1, 1}));
  EXPECT_LT(q.scales.item<double>(), quantize(weight(), scheme).scales.item<double>());
}

TEST(ScaleSearch, GptqTakesTheScalesFound) {
  const TensorScheme scheme = *scheme_named("int4").weights;
  const auto made = [](const std::string& yaml) {
    const Value options = parse_yaml(yaml, "test");
    Fields fields(options, "weights.gptq");
    auto quantizer = weight_quantizers().at("gptq")(fields);
    fields.finish();
    return quantizer;
  };
  WeightContext context;
  context.gram = gram();
  const QuantizedTensor q = made("{scales: search}")->quantize(weight(), scheme, context);
  expect_identical(q.scales, searched(weight(), scheme).scales);
  EXPECT_TRUE(
      testing::throws_error([&] { made("{scales: best}"); }, Errc::kConfig, {"weights.gptq.scales", "best"}));
  EXPECT_TRUE(testing::throws_error([&] { made("{shrink: 0.3}"); }, Errc::kConfig, {"shrink"}));
}

TEST(ScaleSearch, OptionsAreChecked) {
  const auto read = [](const std::string& yaml) {
    const Value options = parse_yaml(yaml, "test");
    Fields fields(options, "weights.scale-search");
    read_scale_search(fields);
    fields.finish();
  };
  for (const auto& [yaml, key] : {std::pair("{shrink: 1}", "shrink"),
                                  {"{grid: 0}", "grid"},
                                  {"{steps: -1}", "steps"},
                                  {"{tensor_grid: 0}", "tensor_grid"},
                                  {"{weighting: full}", "weighting"}})
    EXPECT_TRUE(testing::throws_error([&, y = yaml] { read(y); }, Errc::kConfig, {key})) << yaml;
  EXPECT_NO_THROW(read("{grid: 8, shrink: 0.2, steps: 2, tensor_grid: 2, weighting: diagonal}"));
}

TEST(ScaleSearch, WithoutAGramMatrixItMustBeUnweighted) {
  const TensorScheme scheme = *scheme_named("int4").weights;
  EXPECT_TRUE(testing::throws_error([&] { search_scales(weight(), scheme, {}, {}); }, Errc::kUnexpected,
                                    {"Gram matrix", "128"}));
  ScaleSearchOptions plain;
  plain.weighting = Weighting::kNone;
  EXPECT_NO_THROW(search_scales(weight(), scheme, {}, plain));
}

}  // namespace
}  // namespace svdlab
