#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

/// Sums over the elements of two tensors of equal shape, in double and in a fixed order whatever the thread
/// count. NaN and infinity go through: inf - inf is NaN.
struct PairSums {
  double reference = 0;   ///< sum of x^2
  double candidate = 0;   ///< sum of y^2
  double product = 0;     ///< sum of x*y
  double difference = 0;  ///< sum of (x - y)^2
};

/// Throws kInput on empty tensors and on unequal shapes. Any dtype that converts to double.
PairSums pair_sums(const Tensor& reference, const Tensor& candidate);

}  // namespace svdlab
