#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

/// Sum of the l2 norms of the min(rows, columns) columns of `a` [rows, columns] with the largest ones. Summed
/// over all columns it is at least the nuclear norm and at most sqrt(columns) ||a||_F, and equal to the
/// nuclear norm when the columns are orthogonal. In float64; throws kInput unless `a` is a matrix with
/// elements. NaN and infinity go through.
double largest_column_norms(const Tensor& a);

/// Matrix Nuclear-Norm of hidden states [tokens, channels]: how many directions the tokens spread over,
/// without an SVD. Channels lose their mean over the tokens, every token is divided by its norm (a token that
/// is then zero stays zero), and the result is largest_column_norms() of that: a number in [0, tokens], not
/// divided by the number of tokens. Says something only beside another number for the same tokens.
/// Source: arXiv 2410.10672, and its published code, where the sum is not divided either.
double matrix_nuclear_norm(const Tensor& hidden);

}  // namespace svdlab
