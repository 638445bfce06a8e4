#pragma once
#include <memory>

#include "core/base/registry.h"
#include "core/base/value.h"
#include "lowrank/weighted.h"

namespace svdlab {

/// What an objective may know of the matrix it weighs: the transformed weights of one branch partition,
/// stacked to [N, K]. What it does not ask for is undefined.
struct ObjectiveFacts {
  Tensor gram;         ///< [K, K] uncentred, of the transformed input
  Tensor fisher_rows;  ///< [N] fp64: mean over a row of E[g^2], g the gradient of an element
  Tensor fisher_cols;  ///< [K] fp64: mean over a column of E[g^2]
};

/// What the low-rank branch L of a matrix M (a weight, or a quantization error) is closest in: the weights A
/// and B of ||A (M - L) B||_F, see WeightedSolver. Immutable once built.
class LowRankObjective {
 public:
  virtual ~LowRankObjective() = default;
  /// True: calibration statistics must be there.
  virtual bool needs_gram() const = 0;
  /// True: they must hold gradients.
  virtual bool needs_fisher() const { return false; }
  /// A and B; either may be undefined (all ones).
  virtual NormWeights weights(const ObjectiveFacts& facts) const = 0;
};

using LowRankObjectiveFactory = std::unique_ptr<LowRankObjective> (*)(Fields& options);
/// Catalogue of objectives; `low_rank.objective` in a recipe: plain, diagonal, whitened, fisher-rows, fisher.
const Registry<LowRankObjectiveFactory>& low_rank_objectives();

}  // namespace svdlab
