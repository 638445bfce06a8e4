#pragma once
// The one place from which the rest of the tree takes its tensor type.
#include <ATen/ATen.h>

namespace svdlab {

using at::Tensor;

}  // namespace svdlab
