#pragma once
#include <cstdint>

#include "core/ir/tensor.h"
#include "eval/bootstrap.h"

namespace svdlab {

/// Improved precision and recall (Kynkaanniemi et al. 2019). The manifold of a set of features is the union
/// of balls around its rows that reach to the k-th nearest other row, border included.
struct PrecisionRecall {
  Interval precision;  ///< share of `candidate` rows in the manifold of `reference`
  Interval recall;     ///< share of `reference` rows in the manifold of `candidate`
};

/// @param reference [n, D]
/// @param candidate [m, D]
/// In double. The intervals are bootstrapped over the rows that are judged, the manifold held as it is.
/// Throws kInput on other shapes, on k below 1, on sets of k rows or fewer, and on features that are not
/// finite.
PrecisionRecall precision_recall(const Tensor& reference, const Tensor& candidate, int64_t k = 3);

}  // namespace svdlab
