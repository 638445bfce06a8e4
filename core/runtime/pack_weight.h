#pragma once
#include <vector>

#include "core/ir/compressed.h"
#include "kernels/packed_matrix.h"

namespace svdlab {

/// A quantized weight on a device, as the kernels read it.
struct PackedWeight {
  PackedMatrix shape;                ///< without pointers
  Tensor codes, scales, row_powers;  ///< bytes, bytes, fp32 [rows]

  PackedMatrix view() const;
  int64_t bytes() const;
};

/// Why the kernels have no form for a weight that is stored so; empty: they have.
std::string why_not_packed(const TensorScheme& scheme);

/// pack_matrix(weight, layout), to the byte, by tensor operations on `device`: fast on both, and codes that
/// are on a GPU already stay there. Scales lose nothing; kInput when one is no value of its format, kConfig
/// for a code -8 in kSignedFragments64 or a scheme that why_not_packed refuses.
/// @param weight  columns a multiple of 64.
PackedWeight pack_weight(const QuantizedTensor& weight, CodeLayout layout, at::Device device);

/// Rows of several weights of one scheme and width under each other; tensor_scale is that of the first.
QuantizedTensor stacked_rows(const std::vector<const QuantizedTensor*>& weights);

}  // namespace svdlab
