#include "quant/log_sqrt2.h"

#include "core/ir/quantize.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::throws_error;

TEST(LogSqrt2, DecodesToPowersOfTheSquareRootOfTwo) {
  const Tensor codes = at::arange(256, at::kLong);
  const Tensor expected = at::exp2(codes.to(at::kDouble) / -2) * 0.75;
  expect_close(log_sqrt2_decode(codes, 0.75), expected, 1e-7);
}

// What makes it a shift: two codes on, the value is halved to the bit; an odd code is an even one times
// sqrt2.
TEST(LogSqrt2, TwoCodesAreOneShift) {
  const Tensor even = at::arange(0, 240, 2, at::kLong);
  const Tensor value = log_sqrt2_decode(even, 1.0);
  expect_identical(value, at::exp2(-even.to(at::kDouble) / 2).to(at::kFloat));
  expect_identical(log_sqrt2_decode(even + 2, 1.0), value * 0.5);
  expect_identical(log_sqrt2_decode(even + 3, 1.0), log_sqrt2_decode(even + 1, 1.0) * 0.5);
  expect_identical(log_sqrt2_decode(even + 1, 1.0),
                   (value.to(at::kDouble) * 0.5 * std::sqrt(2.0)).to(at::kFloat));
}

TEST(LogSqrt2, EncodesToTheNearestExponent) {
  for (const int bits : {4, 8}) {
    const Tensor codes = at::arange(1 << bits, at::kLong);
    expect_identical(log_sqrt2_encode(log_sqrt2_decode(codes, 0.3), 0.3, bits), codes);
  }
  const Tensor p = at::softmax(testing::random_tensor({64, 64}, "softmax") * 3, 1),
               codes = log_sqrt2_encode(p, 1, 4);
  const Tensor inside = p > std::exp2(-7.5);
  const Tensor exponents = (log_sqrt2_decode(codes, 1).log2() - p.log2()).abs().masked_select(inside);
  EXPECT_GT(exponents.numel(), 500);
  EXPECT_LE(exponents.max().item<float>(), 0.25001);
  EXPECT_EQ(log_sqrt2_encode(at::zeros({3}), 1, 4).min().item<int64_t>(), 15);
}

// What it is for: attention probabilities, most of them small.
TEST(LogSqrt2, ErrsLessThanUniformCodesOnAttentionProbabilitiesAndPowersOfTwo) {
  const Tensor p = at::softmax(testing::random_tensor({64, 256}, "attention") * 3, 1);
  const auto relative = [&](const Tensor& q) {
    return ((q - p).abs() / p)
        .masked_select(p > std::exp2(-7.5))
        .mean()
        .item<double>();  // in the codes' range
  };
  const Tensor uniform = (p * 15).round() / 15, powers = at::exp2(p.log2().round().clamp_min(-15));
  const double ours = relative(log_sqrt2_decode(log_sqrt2_encode(p, 1, 4), 1));
  EXPECT_LT(ours, 0.3 * relative(uniform));
  EXPECT_LT((log_sqrt2_decode(log_sqrt2_encode(p, 1, 5), 1) - p).norm().item<double>(),
            0.7 * (powers - p).norm().item<double>());
}

TEST(LogSqrt2, TheCodebookHoldsTheSameValuesAscending) {
  const Tensor book = log_sqrt2_codebook(4);
  EXPECT_EQ(book.numel(), 16);
  EXPECT_EQ(book[15].item<float>(), 1.0f);
  EXPECT_TRUE((book.slice(0, 1) > book.slice(0, 0, 15)).all().item<bool>());
  const Tensor p = at::softmax(testing::random_tensor({8, 64}, "book"), 1);
  const TensorScheme scheme{
      .format = NumberFormat::kCodebook, .grouping = Grouping::kRow, .group = 0, .scale = ScaleFormat::kFp32};
  const QuantizedTensor q = quantize_to_codebook(p, scheme, book);
  const Tensor values = dequantize(q) / q.scales;
  for (int64_t i = 0; i < 64; ++i) {
    const double v = values[0][i].item<double>();
    EXPECT_LT((book - v).abs().min().item<double>(), 1e-6);
  }
}

TEST(LogSqrt2, RefusesWhatIsNoProbability) {
  EXPECT_TRUE(throws_error(
      [] {
        log_sqrt2_encode(at::tensor({0.5f, -0.1f}), 1, 4);
      },
      Errc::kInput, {"negative"}));
  EXPECT_TRUE(throws_error([] { log_sqrt2_encode(at::tensor({NAN}), 1, 4); }, Errc::kInput, {"finite"}));
  EXPECT_TRUE(throws_error([] { log_sqrt2_encode(at::ones({1}), 0, 4); }, Errc::kInput, {"scale 0"}));
  EXPECT_TRUE(throws_error([] { log_sqrt2_encode(at::ones({1}), 1, 9); }, Errc::kConfig, {"9"}));
}

}  // namespace
}  // namespace svdlab
