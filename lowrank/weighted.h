#pragma once
#include "lowrank/solver.h"

namespace svdlab {

/// The weights of the norm ||A (m - L) B||_F. Each is undefined (all ones), a diagonal [n] or a full matrix
/// [n, n].
struct NormWeights {
  Tensor rows;  ///< A: [rows] or [rows, rows], nonsingular
  Tensor cols;  ///< B: [cols] or [cols, cols], may be singular: then L is one of several minimisers
};

/// A solver for argmin over rank L of ||A (m - L) B||_F, on top of any solver for the plain norm: that one
/// finds U, the leading left singular vectors of A m B, and
///   L = A^-1 U U^T A m,
/// which is the textbook A^-1 (U S V^T) B^-1 wherever B has an inverse (U U^T A m B = U S V^T), yet never
/// divides by B. A full A is reduced to triangular form first, and undone by one triangular solve. The
/// products, the QR and the solve are in float64; A m B goes to `inner` as fp32, scaled by a power of two to
/// about 1, so L is as near to the optimum as `inner` is. `down` has orthonormal rows, as everywhere, and
/// `basis` is that of A m B. Without weights the call goes to `inner` as it is.
///
/// Source: Srebro and Jaakkola, "Weighted Low-Rank Approximations" (ICML 2003), the case of weights of rank
/// one. With A none, B B^T = Gram of the input: EoRA (arXiv 2410.21271) on a quantization error, LoRD (arXiv
/// 2309.14021) on a weight, SVD-LLM's whitening.
class WeightedSolver final : public LowRankSolver {
 public:
  /// @param inner  must outlive this object.
  /// Throws kInput for weights that are not finite or for a singular A; kUnexpected for other shapes.
  WeightedSolver(const LowRankSolver& inner, const NormWeights& weights);
  /// Throws kInput when A m B is not finite.
  using LowRankSolver::solve;
  LowRankFactors solve(const Tensor& m, int64_t rank, const Tensor& start) const override;
  double residual(const Tensor& m, const LowRankFactors& factors) const override;

 private:
  const LowRankSolver& inner_;
  Tensor rows_, cols_;  // fp64; rows_ upper triangular when full
};

/// Lower triangular B [K, K] fp64 with B B^T = gram + damping diag(gram), so that
/// ||E B||_F^2 = tr(E gram E^T) + damping * (the same of uncorrelated channels). The damping makes a Gram
/// matrix of fewer tokens than channels factorable, and scales with each channel: dividing channels by a
/// smoothing vector divides the rows of B by it and changes nothing else. Channels that are zero in every
/// token get zero rows.
/// @param gram  [K, K] symmetric, positive semidefinite, finite.  @param damping  > 0; 1e-6 is far above
/// float64 rounding up to K = 10^5. Throws kInput when the damped matrix is not positive definite.
Tensor gram_root(const Tensor& gram, double damping);

}  // namespace svdlab
