#include "core/io/nunchaku_module.h"

#include <gtest/gtest.h>

#include "core/runtime/compressed_linear.h"
#include "core/runtime/fake_quantize.h"
#include "tests/core/io/compressed_unit_samples.h"

namespace svdlab {
namespace {

/// What Nunchaku's kernels compute with `module`, in fp32.
Tensor kernel(const NunchakuW4A4& module, const Tensor& x, Producer producer) {
  const Scheme& scheme = scheme_named(to_string(module.precision));
  const std::vector<Segment> segments = {{0, module.columns(), producer}};
  Tensor input = fake_quantize(x, module.smooth, *scheme.activations, segments);
  if (producer == Producer::kGelu && scheme.activations->shift_after_gelu)
    input = input + kGeluShift / module.smooth;  // the kernel does not take it off
  const QuantizedTensor weight{.scheme = *scheme.weights,
                               .codes = module.codes,
                               .scales = module.scales,
                               .tensor_scale = module.tensor_scale};
  Tensor y = at::mm(input, dequantize(weight).t()) * module.row_scales;
  if (module.bias.defined()) y = y + module.bias;
  return y + at::mm(at::mm(x, module.down.t()), module.up.t());
}

TEST(NunchakuModule, TheKernelComputesWhatTheModelDoes) {
  for (const char* name : {"int4", "nvfp4"})
    for (const Producer producer : {Producer::kModulate, Producer::kGelu}) {
      SCOPED_TRACE(testing::Message() << name << ' ' << to_string(producer));
      CompressedLinear linear = testing::random_compressed("linear", 48, 192, 6, scheme_named(name));
      std::get<LowBitBranch>(linear.branches[0]).segments = {{0, 192, producer}};
      const Tensor x = testing::random_tensor({32, 192}, "x");
      const Tensor expected = run_compressed(linear, x, Execution::kDequantized);
      const NunchakuW4A4 module = nunchaku_w4a4({linear}, {0, 192, producer});
      testing::expect_close(kernel(module, x, producer), expected, 4e-3);  // down and bias are rounded
      const CompressedLinear back = linear_of("linear", module, 0, 48, producer);
      testing::expect_close(run_compressed(back, x, Execution::kDequantized), expected, 4e-3);
    }
}

TEST(NunchakuModule, ALinearWithoutSmoothingHasFactorsAsTheyAre) {
  CompressedLinear linear = testing::random_compressed("linear", 24, 128, 3, scheme_named("nvfp4"));
  linear.smooth = linear.bias = Tensor();
  const NunchakuW4A4 module = nunchaku_w4a4({linear}, {0, 128, Producer::kModulate});
  EXPECT_FALSE(module.bias.defined());
  testing::expect_identical(module.smooth, at::ones({128}));
  testing::expect_identical(module.down, linear.low_rank()->down);
  testing::expect_identical(module.up, linear.low_rank()->up);
}

}  // namespace
}  // namespace svdlab
