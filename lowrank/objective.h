#pragma once
#include <memory>

#include "core/base/registry.h"
#include "core/base/value.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// What the low-rank branch L of a matrix M (a weight, or a quantization error) is closest in: the column
/// weight B of ||(M - L) B||_F, see WeightedSolver. Immutable once built. Weights of rows need gradients
/// (FWSVD's Fisher information), which calibration does not collect.
class LowRankObjective {
 public:
  virtual ~LowRankObjective() = default;
  /// True: calibration statistics must be there.
  virtual bool needs_gram() const = 0;
  /// B: [K], [K, K] or undefined (all ones).
  /// @param gram  [K, K] uncentred, of the transformed input; undefined when the objective does not need it.
  virtual Tensor column_weight(const Tensor& gram) const = 0;
};

using LowRankObjectiveFactory = std::unique_ptr<LowRankObjective> (*)(Fields& options);
/// Catalogue of objectives; `low_rank.objective` in a recipe: plain, diagonal, whitened.
const Registry<LowRankObjectiveFactory>& low_rank_objectives();

}  // namespace svdlab
