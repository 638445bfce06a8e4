#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

/// Fourth central moment over the squared variance: 3 for normal values, larger with heavier tails, NaN for
/// constants.
double kurtosis(const Tensor& values);

/// Largest over median magnitude of channels; infinity when the median is 0.
/// @param absmax  [K], the largest magnitude of each channel.
double max_over_median(const Tensor& absmax);

/// Largest magnitude of each column: m [rows, K] -> [K].
Tensor column_absmax(const Tensor& m);

/// Root of the mean square.
double root_mean_square(const Tensor& values);

}  // namespace svdlab
