#pragma once
#include "core/ir/compressed.h"

namespace svdlab {

/// quantize(w, scheme) (core/ir/quantize.h) by tensor operations where `w` is: the same codes and scales.
/// Serves int4 with bf16 scales in groups and e2m1 with e4m3 scales in groups (one or two levels); kConfig
/// naming the scheme otherwise.
/// @param w  [rows, cols], floating, finite; the group divides cols.
QuantizedTensor quantize_on_device(const Tensor& w, const TensorScheme& scheme);

}  // namespace svdlab
