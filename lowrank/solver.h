#pragma once
#include <memory>

#include "core/base/registry.h"
#include "core/base/value.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// m ~ up * down with rank columns; singular values folded into `up`.
struct LowRankFactors {
  Tensor up;     ///< [rows, rank] fp32
  Tensor down;   ///< [rank, cols] fp32, orthonormal rows
  Tensor basis;  ///< [rows, l >= rank] orthonormal, what an iterative solver ended with, or undefined
};

/// Best rank-r approximation in the Frobenius norm, exactly or nearly; WeightedSolver changes the norm.
/// Immutable, deterministic, on the device of `m`.
class LowRankSolver {
 public:
  virtual ~LowRankSolver() = default;
  /// @param m     [rows, cols] fp32, finite.  @param rank  0 <= rank <= min(rows, cols), else kConfig.
  /// @param start  LowRankFactors::basis of a matrix like `m`, or undefined; solvers that cannot start from
  /// something ignore it.
  virtual LowRankFactors solve(const Tensor& m, int64_t rank, const Tensor& start) const = 0;
  LowRankFactors solve(const Tensor& m, int64_t rank) const { return solve(m, rank, {}); }
  /// ||m - up down||^2 in the norm that solve() minimises; that of m itself without factors.
  virtual double residual(const Tensor& m, const LowRankFactors& factors) const;
};

using LowRankSolverFactory = std::unique_ptr<LowRankSolver> (*)(Fields& options);
/// Catalogue of solvers; `low_rank.solver` in a recipe: eigen (oracle), full, gram, randomized, subspace.
const Registry<LowRankSolverFactory>& low_rank_solvers();

}  // namespace svdlab
