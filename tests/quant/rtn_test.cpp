#include "quant/weight_quantizer.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

QuantizedTensor rtn(const Tensor& w, const TensorScheme& scheme) {
  const Value none = Value::map();
  Fields fields(none, "weights");
  return weight_quantizers().at("rtn")(fields)->quantize(w, scheme, {});
}

// Every integer code lies within half a step of its value; the bf16 rounding of the scale adds up to q * 2^-9
// of a step at the end of the range, where the code saturates.
TEST(Rtn, ErrorIsAtMostHalfAStep) {
  for (const char* name : {"int4", "w8a8"}) {
    SCOPED_TRACE(name);
    const TensorScheme scheme = *scheme_named(name).weights;
    const double largest = scheme.format == NumberFormat::kInt8 ? 127 : 7;
    const Tensor w = testing::random_tensor({16, 256}, "rtn-w") * at::logspace(-20, 6, 16).unsqueeze(1);
    const QuantizedTensor q = rtn(w, scheme);
    const Tensor step = q.scales.repeat_interleave(256 / q.scales.size(1), 1);
    const double steps = ((dequantize(q) - w).abs() / step).max().item<double>();
    EXPECT_TRUE(steps <= std::max(0.5, largest / 512) + 1e-4) << steps;
    EXPECT_TRUE(steps > 0.4) << steps;
  }
}

TEST(Rtn, LargestMagnitudeSetsTheScale) {
  Tensor w = at::zeros({1, 128});
  w[0][70] = -14;
  const QuantizedTensor q = rtn(w, *scheme_named("int4").weights);
  EXPECT_EQ(q.scales[0][1].item<float>(), 2.0f);
  testing::expect_identical(dequantize(q)[0][70], w[0][70]);
}

}  // namespace
}  // namespace svdlab
