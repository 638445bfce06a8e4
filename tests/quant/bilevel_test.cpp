#include "core/ir/quantize.h"
#include "tests/quant/weight_problems.h"

namespace svdlab {
namespace {

using testing::embedded_linears;
using testing::expect_identical;
using testing::OutlierGroup;
using testing::random_tensor;
using testing::relative_error;
using testing::throws_error;
using testing::weights;

QuantizedTensor bilevel(const Tensor& w, const std::string& yaml = "{}") {
  return weights("bilevel", yaml)->quantize(w, testing::whole_tensor(), {});
}

TEST(Bilevel, StoredAsSpqrCountsIt) {
  const QuantizedTensor q = bilevel(random_tensor({64, 256}, "w"));
  // 3-bit codes; for 16 of them a scale and a zero point of 3 bits, 16 of each under two 16-bit numbers.
  EXPECT_EQ(q.bits() / (64 * 256), 3 + 2 * (3 + 32.0 / 16) / 16);
  EXPECT_LE(q.codes.max().item<int64_t>(), 7);
  EXPECT_EQ(q.scales.sizes(), (std::vector<int64_t>{64, 16}));
}

TEST(Bilevel, SixteenRowsOfAGroupHaveEightScalesAndIntegerZeros) {
  const QuantizedTensor q = bilevel(random_tensor({64, 256}, "w"));
  for (int64_t r = 0; r < 64; r += 16)
    EXPECT_LE(std::get<0>(at::_unique(q.scales.slice(0, r, r + 16).select(1, 3))).numel(), 8);
  expect_identical(q.zeros, q.zeros.round().clamp(0, 7));
}

TEST(Bilevel, ZeroIsExact) {
  Tensor w = random_tensor({32, 64}, "w") + 2;
  w.slice(1, 3, 5).zero_();
  expect_identical(dequantize(bilevel(w)).slice(1, 3, 5).contiguous(), at::zeros({32, 2}));
}

TEST(Bilevel, CodingTheScalesCostsLittleOnTheEmbeddedModel) {
  for (const LinearSpec& linear : embedded_linears()) {
    const Tensor w = linear.weight.to(at::kFloat);
    const double coded = relative_error(w, dequantize(bilevel(w))),
                 finer = relative_error(w, dequantize(bilevel(w, "{scale_bits: 8}"))),
                 four = relative_error(w, dequantize(bilevel(w, "{bits: 4}")));
    EXPECT_TRUE(coded < 1.2 * finer) << linear.name << ": " << coded << " " << finer;
    EXPECT_TRUE(four < 0.5 * coded) << linear.name << ": " << four << " " << coded;
  }
}

TEST(Bilevel, CodesRunAsTheDecodedWeight) {
  for (const char* scheme : {"int4", "nvfp4", "w4a16-int4-g64", "w8a8"}) {
    SCOPED_TRACE(scheme);
    const OutlierGroup g("bilevel", {48}, 128, scheme, /*tokens=*/64);
    testing::expect_codes_run_as_decoded(g, testing::compress(g.problem, "weights: bilevel"));
  }
}

TEST(Bilevel, RefusesWhatItCannotStore) {
  EXPECT_TRUE(throws_error([] { bilevel(at::ones({2, 24})); }, Errc::kConfig, {"16", "24"}));
  EXPECT_TRUE(throws_error([] { bilevel(at::ones({2, 32}), "{bits: 1}"); }, Errc::kConfig, {"bits"}));
  EXPECT_TRUE(throws_error(
      [] {
        bilevel(at::ones({2, 32}), "{scale_bits: 0}");
      },
      Errc::kConfig, {"scale_bits 1 to 8"}));
}

}  // namespace
}  // namespace svdlab
