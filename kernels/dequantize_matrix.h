#pragma once
#include "kernels/coded_matrix.h"

namespace svdlab {

/// out(r, c) = value(r, c) - subtract[c], with CodedMatrix's value.
/// @param subtract  [cols], or nullptr for 0: what an unsigned encoding had added.
void dequantize_matrix(const CodedMatrix& q, const float* subtract, MatrixView<float> out);

namespace detail {
void dequantize_matrix_cpu(const CodedMatrix& q, const float* subtract, MatrixView<float> out);
}  // namespace detail

}  // namespace svdlab
