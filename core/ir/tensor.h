#pragma once
// The one place from which the rest of the tree takes its tensor type.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace svdlab {

using at::Tensor;
using c10::NoGradGuard;

}  // namespace svdlab
