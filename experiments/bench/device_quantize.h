#pragma once
#include "core/ir/compressed.h"

namespace svdlab {

/// quantize(w, scheme) (core/ir/quantize.h) by tensor operations where `w` is: the same codes and scales.
/// Serves int4 with bf16 scales and e2m1 with e4m3 scales (one or two levels) in groups, and int8 with fp32
/// scales for each row; kConfig naming the scheme otherwise.
/// @param w  [rows, cols], floating, finite; a group divides cols.
QuantizedTensor quantize_on_device(const Tensor& w, const TensorScheme& scheme);

}  // namespace svdlab
