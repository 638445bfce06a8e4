#pragma once
#include <string>

#include "core/ir/tensor.h"
#include "eval/bootstrap.h"
#include "eval/frechet.h"

namespace svdlab {

/// Frechet distance of two sets of features [n, D] of the same items, row by row, with an interval: 200
/// bootstrap resamples of the items, the same rows from both sets. Resampled sets repeat rows, which moves
/// the distance upward as a whole; so the spread of the resamples is laid around the measured value. The
/// interval says how much another draw of items would move the value, not how far a small n biases it. lo
/// and hi are NaN when a value is not finite. Throws kInput on unequal shapes and below two rows.
Interval frechet_interval(const Tensor& a, const Tensor& b, const std::string& name);

/// The same of features [n, D] against fixed statistics: only the rows of `b` are resampled.
Interval frechet_interval(const FeatureStats& a, const Tensor& b, const std::string& name);

}  // namespace svdlab
