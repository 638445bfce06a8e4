#include "quant/column_quantizer.h"

#include <limits>

#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::throws_error;

constexpr int64_t kRows = 24, kChannels = 128;

class ColumnQuantizerFormats : public ::testing::TestWithParam<std::string> {
 protected:
  Tensor weight = testing::random_tensor({kRows, kChannels}, "columns");
  QuantizedTensor nearest = quantize(weight, *scheme_named(GetParam()).weights);
};

TEST_P(ColumnQuantizerFormats, ColumnsInAnyOrderGiveTheCodesOfTheWholeMatrix) {
  QuantizedTensor q = nearest;
  q.codes = at::full_like(nearest.codes, 0xcc);
  ColumnQuantizer columns(q);
  const Tensor decoded = dequantize(nearest);
  for (int64_t i = 0; i < kChannels; ++i) {
    const int64_t c = (37 * i + 5) % kChannels;
    expect_identical(columns.quantize(c, weight.select(1, c)), decoded.select(1, c).contiguous());
  }
  expect_identical(q.codes, nearest.codes);
}

TEST_P(ColumnQuantizerFormats, ScalesStayAndOtherColumnsAreLeftAlone) {
  QuantizedTensor q = nearest;
  q.codes = nearest.codes.clone();
  q.scales = nearest.scales.clone();
  ColumnQuantizer(q).quantize(70, weight.select(1, 70) * 100);  // far outside the range of the scales
  expect_identical(q.scales, nearest.scales);
  expect_identical(q.codes.slice(1, 0, 70).contiguous(), nearest.codes.slice(1, 0, 70).contiguous());
  expect_identical(q.codes.slice(1, 71).contiguous(), nearest.codes.slice(1, 71).contiguous());
}

TEST_P(ColumnQuantizerFormats, NonFiniteValuesAreRefused) {
  QuantizedTensor q = nearest;
  Tensor column = weight.select(1, 3).clone();
  column[4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(throws_error([&] { ColumnQuantizer(q).quantize(3, column); }, Errc::kInput, {"nan"}));
}

INSTANTIATE_TEST_SUITE_P(All, ColumnQuantizerFormats,
                         ::testing::Values("int4", "nvfp4", "mxfp4", "w8a8", "w4a16-nf4-g64"));

}  // namespace
}  // namespace svdlab
