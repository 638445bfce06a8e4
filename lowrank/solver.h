#pragma once
#include <memory>

#include "core/base/registry.h"
#include "core/base/value.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// m ~ up * down with rank columns; singular values folded into `up`.
struct LowRankFactors {
  Tensor up;                   ///< [rows, rank] fp32
  Tensor down;                 ///< [rank, cols] fp32, orthonormal rows
  double residual_energy = 0;  ///< ||m - up down||_F^2
  double total_energy = 0;     ///< ||m||_F^2
};

/// Best rank-r approximation in the Frobenius norm, exactly or nearly; WeightedSolver changes the norm.
/// Immutable, deterministic.
class LowRankSolver {
 public:
  virtual ~LowRankSolver() = default;
  /// @param m     [rows, cols] fp32, finite.  @param rank  0 <= rank <= min(rows, cols), else kConfig.
  virtual LowRankFactors solve(const Tensor& m, int64_t rank) const = 0;
};

using LowRankSolverFactory = std::unique_ptr<LowRankSolver> (*)(Fields& options);
/// Catalogue of solvers; `low_rank.solver` in a recipe: eigen (oracle), full, gram, randomized.
const Registry<LowRankSolverFactory>& low_rank_solvers();

}  // namespace svdlab
