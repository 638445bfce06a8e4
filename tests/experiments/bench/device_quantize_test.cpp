#include "experiments/bench/device_quantize.h"

#include <gtest/gtest.h>

#include "core/ir/quantize.h"
#include "core/ir/scheme.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::random_tensor;

// Graded groups, one of zeros, one outlier, and values on ties.
Tensor hard_weight() {
  Tensor w = random_tensor({48, 256}, "device_quantize");
  w.slice(0, 0, 16).mul_(at::logspace(-6, 3, 16).unsqueeze(1));
  w.slice(0, 16, 17).zero_();
  w[17][5] = 1e4;
  w.slice(0, 18, 26) = at::arange(-128, 128).to(at::kFloat).div(4);
  return w;
}

class QuantizeOnDevice : public ::testing::TestWithParam<const char*> {};

TEST_P(QuantizeOnDevice, GivesTheCodesAndScalesOfQuantize) {
  const TensorScheme scheme = *scheme_named(GetParam()).weights;
  const Tensor w = hard_weight();
  const QuantizedTensor expected = quantize(w, scheme), actual = quantize_on_device(w, scheme);
  EXPECT_EQ(actual.tensor_scale, expected.tensor_scale);
  expect_identical(actual.scales, expected.scales);
  expect_identical(actual.codes, expected.codes);
}

INSTANTIATE_TEST_SUITE_P(Schemes, QuantizeOnDevice,
                         ::testing::Values("int4", "nvfp4", "w4a16-int4-g64", "w8a8"));

TEST(QuantizeOnDevice, OtherSchemesAreRefusedByName) {
  const auto quantized = [](const char* scheme, int64_t columns) {
    return [=] { quantize_on_device(at::ones({1, columns}), *scheme_named(scheme).weights); };
  };
  EXPECT_TRUE(testing::throws_error(quantized("mxfp4", 64), Errc::kConfig, {"e2m1", "e8m0"}));
  EXPECT_TRUE(testing::throws_error(quantized("int4", 96), Errc::kConfig, {"64", "96"}));
}

}  // namespace
}  // namespace svdlab
