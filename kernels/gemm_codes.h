#pragma once
#include "kernels/coded_matrix.h"

namespace svdlab {

// The meaning of a low-bit matrix product. Columns are cut into the finest pieces on which all scales are
// constant (group gcd); with S the sum over a piece of the products of what the codes stand for, the pieces'
//   S * scale_a * scale_w
// are added up in fp32 from left to right, and their sum is added to out(t, n) once. S itself is exact for
// int4, uint4, int8, e2m1 and affine codes with integer zero points (32-bit integers, e2m1 in halves), then
// rounded once to fp32; with nf4, a codebook, other zero points or a plain `a` it is summed in fp64.

/// out(t, n) += sum_k a(t, k) w(n, k), both operands coded. @param a  [T, K]. @param w  [N, K].
void gemm_codes(const CodedMatrix& a, const CodedMatrix& w, MatrixView<float> out);

/// out(t, n) += sum_k a(t, k) w(n, k), weights coded. @param a  [T, K]. @param w  [N, K].
void gemm_codes(MatrixView<const float> a, const CodedMatrix& w, MatrixView<float> out);

namespace detail {
void gemm_codes_cpu(const CodedMatrix& a, const CodedMatrix& w, MatrixView<float> out);
void gemm_codes_cpu(MatrixView<const float> a, const CodedMatrix& w, MatrixView<float> out);
}  // namespace detail

}  // namespace svdlab
