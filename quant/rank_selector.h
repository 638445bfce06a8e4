#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

// How many terms of a decomposition are worth keeping, from its singular values: of a matrix (a low-rank
// branch) or of its rearrangement (a sum of Kronecker products, kronecker.h). Both criteria are those of SoKA
// (arXiv 2506.15251); it does not publish code, so how they are joined is ours.

/// The smallest r whose first r squared values are at least `energy` of their sum; 0 for a zero spectrum.
/// @param values  [n], not negative, in falling order, else kInput.  @param energy  in (0, 1], else kConfig.
int64_t rank_by_energy(const Tensor& values, double energy);

/// The elbow: the r >= 1 whose point (r, value r) lies farthest below the straight line from the first value
/// to the last; n for n < 3 and for values on a line.
int64_t rank_by_elbow(const Tensor& values);

/// The smaller of the two: what meets the energy, cut at the elbow.
int64_t select_rank(const Tensor& values, double energy);

}  // namespace svdlab
