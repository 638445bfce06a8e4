#pragma once
#include "core/base/rng.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// A random orthogonal matrix [n, n] fp64, uniform over the group (Haar): the Q of a Gaussian matrix whose R
/// is made to have a positive diagonal, without which Q follows the sign convention of the library (Mezzadri,
/// "How to generate random matrices from the classical compact groups", 2007).
/// @param draw  which of the stream's matrices of this size.
Tensor random_orthogonal(int64_t n, const Rng& rng, int64_t draw = 0);

}  // namespace svdlab
