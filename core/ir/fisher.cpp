#include "core/ir/fisher.h"

#include "core/base/error.h"

namespace svdlab {

void WeightFisher::add(const Tensor& g, bool keep_full) {
  SVDLAB_REQUIRE(
      g.dim() == 2 && (!rows.defined() || (rows.size(0) == g.size(0) && cols.size(0) == g.size(1))),
      Errc::kUnexpected, "gradient statistics cannot take a gradient of shape ", g.sizes());
  const Tensor square = g.to(at::kDouble).square();
  WeightFisher one{.samples = 1, .rows = square.mean(1), .cols = square.mean(0)};
  if (keep_full) one.full = square;
  merge(one);
}

void WeightFisher::merge(const WeightFisher& other) {
  if (other.samples == 0) return;
  if (samples == 0) {
    *this = other;
    return;
  }
  SVDLAB_REQUIRE(rows.sizes() == other.rows.sizes() && cols.sizes() == other.cols.sizes() &&
                     full.defined() == other.full.defined(),
                 Errc::kInput, "gradient statistics of a ", rows.size(0), " x ", cols.size(0),
                 " weight cannot be merged with those of a ", other.rows.size(0), " x ", other.cols.size(0),
                 " weight, nor with full ones when they are means");
  samples += other.samples;
  rows = rows + other.rows;
  cols = cols + other.cols;
  if (full.defined()) full = full + other.full;
}

void WeightFisher::require_finite(const std::string& linear) const {
  SVDLAB_REQUIRE(samples > 0, Errc::kInput, "gradients of ", linear, ": no sample was seen");
  // A value of `full` that is not finite makes its row's mean so, too.
  for (const Tensor* values : {&rows, &cols})
    SVDLAB_REQUIRE(values->isfinite().all().item<bool>(), Errc::kInput, "gradients of ", linear,
                   " are NaN or infinite; check the model's weights and the calibration inputs");
}

}  // namespace svdlab
