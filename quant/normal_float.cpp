#include "quant/codebook_quantizer.h"
#include "quant/codebooks.h"

namespace svdlab {

Tensor normal_float_levels(int bits) {
  const int64_t half = int64_t{1} << (bits - 1);
  // The outermost quantile, half a code in from both ends: the mean over the sides' numbers of codes.
  const double codes = 4.0 * static_cast<double>(half);
  const double outermost = 1 - 0.5 * (1 / codes + 1 / (codes - 2));
  const auto quantiles = [&](int64_t count) {
    const Tensor p = at::linspace(outermost, 0.5, count + 1, at::kDouble).slice(0, 0, count);
    return at::special_ndtri(p);  // falling
  };
  const Tensor above = quantiles(half), below = quantiles(half - 1);
  const Tensor levels = at::cat({below.neg(), at::zeros({1}, at::kDouble), above.flip(0)});
  return (levels / above[0]).to(at::kFloat);
}

std::unique_ptr<WeightQuantizer> make_normal_float(Fields& options) {
  const Tensor levels = normal_float_levels(read_code_bits(options, 4, 2));
  std::optional<ScaleCoding> coding;
  if (options.boolean("double_quant", false)) coding = ScaleCoding{.bits = 8, .group = 256};
  return std::make_unique<CodebookQuantizer>(levels, coding);
}

}  // namespace svdlab
