#pragma once
#include "core/base/rng.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// An orthogonal matrix [m, m] fp64 that spreads the largest channels of x, found greedily: each of `steps`
/// rotations brings the channel that is largest by then to the front and spreads it evenly over all m
/// (a first row of 1 / sqrt(m)), the others at random among themselves; the product with the smallest largest
/// magnitude is kept, no rotation at all among them.
/// Source: DuQuant (arXiv 2406.01721), section 3.2.
/// @param x  [T, m] fp64.  @param draw  which random matrices of the stream.
Tensor greedy_rotation(const Tensor& x, int64_t steps, const Rng& rng, int64_t draw);

/// Channels dealt to blocks of m so that every block has its share of large ones: from the largest to the
/// smallest, over the blocks forward and back again (DuQuant's zigzag).
/// @param size  [K], of each channel; m divides K.  @return [K] int64: channel k becomes what order[k] was.
Tensor zigzag_order(const Tensor& size, int64_t m);

}  // namespace svdlab
