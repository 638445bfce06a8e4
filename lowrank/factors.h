#pragma once
#include <optional>

#include "lowrank/solver.h"

namespace svdlab {

/// Throws kConfig unless 0 <= rank <= min(rows, cols) of `m`.
void require_rank(const Tensor& m, int64_t rank);

/// Factors in fp32 from `up` [rows, rank], `down` [rank, cols] of any float type.
LowRankFactors make_factors(const Tensor& up, const Tensor& down);

/// ||m||_F^2 in fp64, in pieces: what it holds beside m is small.
double energy(const Tensor& m);

/// ||m - up down||_F^2; that of m itself without factors.
double residual_energy(const Tensor& m, const LowRankFactors& factors);

/// m = q r, columns of q orthonormal.
struct Orthonormal {
  Tensor q;  ///< like m, [rows, l]
  Tensor r;  ///< upper triangular [l, l]; of a matrix on a GPU fp64, on the CPU where Cholesky served
};
/// Householder's QR on the CPU. On a GPU, where that is thousands of small steps, cholesky_orthonormal, and
/// Householder's where that declines.
Orthonormal orthonormal_columns(const Tensor& m);
/// By Cholesky's factors of m^T m, twice in float64 (CholeskyQR2): as orthonormal as Householder's while the
/// condition of m is below 1e7, all that fp32 entries can tell. Nothing for a matrix beyond that.
std::optional<Orthonormal> cholesky_orthonormal(const Tensor& m);

/// The best rank-`rank` approximation of m among matrices whose columns lie in the range of `basis`.
/// @param basis  [rows, l] orthonormal columns, l >= rank, in the precision the work is to be done in.
LowRankFactors factors_in_range(const Tensor& m, const Tensor& basis, int64_t rank);

/// The smallest ||m - L||_F^2 that any L of rank `rank` can reach (Eckart-Young), from the eigenvalues of the
/// smaller Gram matrix in float64; NaN when that side is above 1024, where knowing it costs more than the
/// branch itself.
double optimal_residual_energy(const Tensor& m, int64_t rank);

/// The factors as they are stored, bf16 values. A residual must be formed with these.
LowRankFactors round_to_bf16(LowRankFactors factors);

}  // namespace svdlab
