// Every registered weight quantizer under every format: what callers may rely on whatever the name. Some have
// a number format of their own in place of the scheme's, and refuse schemes whose scales it cannot have.
#include <limits>

#include "quant/weight_quantizer.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_identical;

constexpr int64_t kRows = 24, kChannels = 128;

struct Case {
  std::string quantizer, scheme;
  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << c.quantizer << ' ' << c.scheme;
  }
};

TensorScheme scheme_of(const Case& c) { return *scheme_named(c.scheme).weights; }

QuantizedTensor quantized(const Case& c, const Tensor& w) {
  const Value none = Value::map();
  Fields fields(none, "weights");
  const auto quantizer = weight_quantizers().at(c.quantizer)(fields);
  WeightContext context;
  if (quantizer->needs_gram()) {
    const Tensor x = testing::random_tensor({4 * kChannels, kChannels}, "contract-x").to(at::kDouble);
    context.gram = x.t().matmul(x);
  }
  return quantizer->quantize(w, scheme_of(c), context);
}

// Only quantizers with a number format of their own may refuse a scheme.
bool refused(const Case& c) {
  const std::vector<std::string> all_formats = {"rtn", "scale-search", "gptq"};
  if (std::find(all_formats.begin(), all_formats.end(), c.quantizer) != all_formats.end()) return false;
  try {
    quantized(c, at::ones({kRows, kChannels}));
    return false;
  } catch (const Error& e) {
    return e.code() == Errc::kConfig;
  }
}

std::vector<Case> all_cases() {
  std::vector<Case> out;
  for (const std::string& name : weight_quantizers().names())
    for (const Scheme& scheme : built_in_schemes())
      if (scheme.weights && !refused({name, scheme.name})) out.push_back({name, scheme.name});
  return out;
}

class WeightQuantizerContract : public ::testing::TestWithParam<Case> {
 protected:
  TensorScheme scheme() const { return scheme_of(GetParam()); }
  QuantizedTensor quantize(const Tensor& w) const { return quantized(GetParam(), w); }
};

int64_t largest_code(const TensorScheme& scheme) {
  return (int64_t{1} << static_cast<int>(scheme.code_bits())) - 1;
}

TEST_P(WeightQuantizerContract, ShapesAndCodesAreThoseOfTheScheme) {
  const QuantizedTensor q = quantize(testing::random_tensor({kRows, kChannels}, "contract-w"));
  if (q.scheme.format == scheme().format) {
    EXPECT_EQ(q.scheme, scheme());
  }
  EXPECT_EQ(q.codes.scalar_type(), at::kByte);
  EXPECT_EQ(q.codes.sizes(), (std::vector<int64_t>{kRows, kChannels}));
  EXPECT_EQ(q.scales.sizes(), (std::vector<int64_t>{kRows, q.scheme.groups_of(kChannels)}));
  EXPECT_LE(q.codes.max().item<int64_t>(), largest_code(q.scheme));
  EXPECT_TRUE((q.scales > 0).logical_and(q.scales.isfinite()).all().item<bool>());
  EXPECT_GT(std::get<0>(at::_unique(q.codes)).numel(), std::min<int64_t>(8, largest_code(q.scheme) / 2))
      << "most codes should occur in 3072 normal values";
}

TEST_P(WeightQuantizerContract, ErrorIsBelowTheOutputsOwnSize) {
  const Tensor w = testing::random_tensor({kRows, kChannels}, "contract-w");
  const double relative = testing::relative_difference(dequantize(quantize(w)), w);
  EXPECT_TRUE(relative > 0 && relative < 0.2) << relative;
}

TEST_P(WeightQuantizerContract, ZeroWeightStaysZero) {
  const Tensor zero = at::zeros({kRows, kChannels});
  expect_identical(dequantize(quantize(zero)).abs(), zero);
}

TEST_P(WeightQuantizerContract, ZeroRowDoesNotDisturbTheOthers) {
  Tensor w = testing::random_tensor({kRows, kChannels}, "contract-w");
  w[3].zero_();
  const Tensor back = dequantize(quantize(w));
  expect_identical(back[3].abs(), w[3]);
  EXPECT_TRUE(back.isfinite().all().item<bool>());
}

TEST_P(WeightQuantizerContract, NonFiniteWeightsAreRefusedByElement) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Tensor w = at::ones({kRows, kChannels});
    w[2][5] = bad;
    EXPECT_TRUE(testing::throws_error([&] { quantize(w); }, Errc::kInput, {"(2, 5)"}));
  }
}

TEST_P(WeightQuantizerContract, TwiceGivesTheSame) {
  const Tensor w = testing::random_tensor({kRows, kChannels}, "contract-w");
  const QuantizedTensor a = quantize(w), b = quantize(w);
  expect_identical(a.codes, b.codes);
  expect_identical(a.scales, b.scales);
  EXPECT_EQ(a.tensor_scale, b.tensor_scale);
}

TEST_P(WeightQuantizerContract, PowerOfTwoScalesThrough) {
  const Tensor w = testing::random_tensor({kRows, kChannels}, "contract-w");
  expect_identical(dequantize(quantize(w * 8)), dequantize(quantize(w)) * 8);
}

INSTANTIATE_TEST_SUITE_P(All, WeightQuantizerContract, ::testing::ValuesIn(all_cases()),
                         [](const auto& info) {
                           std::string name = info.param.quantizer + "_" + info.param.scheme;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

}  // namespace
}  // namespace svdlab
