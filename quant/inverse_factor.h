#pragma once
#include "quant/weight_quantizer.h"

namespace svdlab {

/// Upper triangular U [K, K] fp64 with U^T U = (H + damping mean(diag H) I)^-1, H the Gram matrix of the
/// transformed input in the order `order`. Channels that were zero in every token get a diagonal of 1 and
/// nothing beside it: they must not make H singular, and nothing is known about them. Where H is not positive
/// definite, more damping is added, ten times more at each of up to 12 tries. One matrix is held beside the
/// input's, plus pieces of `kBlock` columns: H is factored and inverted in place, H = R R^T with R upper
/// triangular from the last block to the first, U = R^-1. Throws kInput when no damping helps.
Tensor inverse_factor(const WeightContext& context, const Tensor& order, double damping);

}  // namespace svdlab
