#include "experiments/analyze/moments.h"

#include <cmath>

namespace svdlab {

double kurtosis(const Tensor& values) {
  const Tensor wide = values.to(at::kDouble);
  const Tensor square = (wide - wide.mean()).square_();
  const double variance = square.mean().item<double>();
  return square.square().mean().item<double>() / (variance * variance);
}

double max_over_median(const Tensor& absmax) {
  const Tensor wide = absmax.to(at::kDouble);
  return wide.max().item<double>() / wide.median().item<double>();
}

Tensor column_absmax(const Tensor& m) { return m.abs().amax({0}); }

double root_mean_square(const Tensor& values) {
  return std::sqrt(values.to(at::kDouble).square_().mean().item<double>());
}

}  // namespace svdlab
