#pragma once
#include <cstdint>

#include "core/ir/tensor.h"
#include "lowrank/solver.h"

namespace svdlab {

/// How a matrix [rows, cols] is cut: U [left_rows, left_cols] (x) V [rows / left_rows, cols / left_cols].
struct KroneckerShape {
  int64_t left_rows = 1, left_cols = 1;
};

/// sum_k U_k (x) V_k.
struct KroneckerFactors {
  Tensor left;   ///< [rank, left_rows, left_cols] fp32, singular values folded in
  Tensor right;  ///< [rank, rows / left_rows, cols / left_cols] fp32, orthonormal as vectors
  int64_t rank() const { return left.size(0); }
};

/// Van Loan's rearrangement R(m) [left_rows left_cols, right_rows right_cols]: row (i, j) is block (i, j) of
/// m, flattened. It keeps every element once, so ||R(m) - R(n)||_F = ||m - n||_F, and R(U (x) V) =
/// vec(U) vec(V)^T: a sum of `rank` Kronecker products is a matrix of that rank there.
/// Throws kConfig when the shape does not divide m.
Tensor kronecker_rearranged(const Tensor& m, const KroneckerShape& shape);

/// The shape with the least storage per term, left_rows left_cols + right_rows right_cols; of those with as
/// little, the one with the most rows on the left.
KroneckerShape smallest_kronecker_shape(int64_t rows, int64_t cols);

/// The sum of `rank` Kronecker products nearest to m in the Frobenius norm (Van Loan and Pitsianis, 1993; the
/// start of SoKA, arXiv 2506.15251), as near as `solver` finds the best matrix of that rank: the squared
/// error of an exact one is the tail of the squared singular values of R(m).
/// @param m  [rows, cols] fp32, finite.
KroneckerFactors kronecker_svd(const Tensor& m, const KroneckerShape& shape, int64_t rank,
                               const LowRankSolver& solver);

/// x (sum_k U_k (x) V_k)^T without forming the sum: two small products a term, tokens * (cols right_rows +
/// rows left_cols) multiplications.
/// @param x  [tokens, cols].  Returns [tokens, rows] of x's type.
Tensor kron_apply(const Tensor& x, const KroneckerFactors& factors);

/// The dense matrix [rows, cols].
Tensor kron_dense(const KroneckerFactors& factors);

}  // namespace svdlab
