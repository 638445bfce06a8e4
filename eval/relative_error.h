#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

/// ||x - y|| / ||x|| over all elements, in double. 0 when equal (also both zero), inf when only the reference
/// is zero, NaN when either side holds a NaN. Throws kInput on empty tensors and on unequal shapes.
double relative_error(const Tensor& reference, const Tensor& candidate);

}  // namespace svdlab
