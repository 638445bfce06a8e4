#pragma once
#include <cstdint>

#include "core/ir/compressed.h"

namespace svdlab {

/// How a matrix [rows, cols] is cut: U [left_rows, left_cols] (x) V [rows / left_rows, cols / left_cols].
struct KroneckerShape {
  int64_t left_rows = 1, left_cols = 1;
};

/// Van Loan's rearrangement R(m) [left_rows left_cols, rows cols / (left_rows left_cols)]: row (i, j) is
/// block (i, j) of m, flattened. It keeps every element once, so ||R(m) - R(n)||_F = ||m - n||_F, and R(U (x)
/// V) = vec(U) vec(V)^T: a sum of r Kronecker products is a matrix of rank r there. Throws kConfig when the
/// shape does not divide m.
Tensor kronecker_rearranged(const Tensor& m, const KroneckerShape& shape);

/// The shape with the least storage per term, left_rows left_cols + rows cols / (left_rows left_cols); of
/// those with as little, the one whose two factors are most alike in rows. (The other end of the list, one
/// column times one row, is a low-rank term.)
KroneckerShape smallest_kronecker_shape(int64_t rows, int64_t cols);

/// Kronecker-product SVD of a matrix: m = sum over k of left_k (x) right_k, from the largest term on.
struct KroneckerSvd {
  Tensor values;  ///< [n] fp64: all singular values of R(m), falling
  Tensor left;    ///< [terms, left_rows, left_cols] fp32
  Tensor right;   ///< [terms, rows / left_rows, cols / left_cols] fp32
  /// The first `terms` as they are stored, bf16 values.
  KroneckerBranch branch(int64_t terms) const;
};

/// The sum of `terms` Kronecker products nearest to m in the Frobenius norm (Van Loan and Pitsianis, 1993;
/// the start of SoKA, arXiv 2506.15251); its squared error is the sum of the other values squared. By
/// eigenvectors of the smaller Gram matrix of R(m) in float64.
/// @param m  [rows, cols] fp32, finite.  @param terms  1 .. the smaller side of R(m), else kConfig.
KroneckerSvd kronecker_svd(const Tensor& m, const KroneckerShape& shape, int64_t terms);

}  // namespace svdlab
