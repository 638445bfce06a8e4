#pragma once
#include "quant/weight_quantizer.h"

namespace svdlab {

// Pieces of the Gram matrix of the transformed input, gram(i, j) / (smooth(i) smooth(j)): of a large layer
// the whole would be as large as everything else together.

/// [K] fp64
Tensor input_gram_diagonal(const WeightContext& context);
/// The square blocks on the diagonal of `size` channels each (a divisor of K): [K / size, size, size] fp64.
Tensor input_gram_blocks(const WeightContext& context, int64_t size);
/// Rows `rows` and columns `columns` (int64 indices), fp64.
Tensor input_gram_part(const WeightContext& context, const Tensor& rows, const Tensor& columns);

}  // namespace svdlab
