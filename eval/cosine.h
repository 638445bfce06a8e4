#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

/// <x, y> / (||x|| ||y||) over all elements, in double, within [-1, 1]. NaN when either side is zero (no
/// direction) or holds a NaN. Throws kInput on empty tensors and on unequal shapes.
double cosine(const Tensor& reference, const Tensor& candidate);

}  // namespace svdlab
