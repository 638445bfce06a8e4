#pragma once
#include <string>

#include "core/ir/tensor.h"

namespace svdlab {

/// Refuses (kInput, with `group`, channels and numbers) what cannot be sum of x x^T: an entry that is not
/// finite, a negative diagonal, an asymmetric pair, |g_ij| above sqrt(g_ii g_jj), or a negative eigenvalue.
/// Everything is judged after channels are scaled to a diagonal of 1, with 1e-4 of the largest eigenvalue
/// (pairs: of 1) left for rounding. Eigenvalues are those that a Lanczos run of 32 steps from a fixed start
/// sees: a slightly indefinite matrix may pass, a broken one does not.
/// @param gram  [K, K] fp64 on the CPU.
void require_gram(const Tensor& gram, const std::string& group);

}  // namespace svdlab
