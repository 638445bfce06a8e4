#pragma once
#include "kernels/coded_matrix.h"
#include "kernels/stream.h"

namespace svdlab {

/// out(r, c) = value(r, c) - subtract[c], with CodedMatrix's value.
/// @param subtract  [cols], or nullptr for 0: what an unsigned encoding had added.
/// On a GPU: all formats but affine and codebook (kConfig), the same bits as on the CPU.
void dequantize_matrix(const CodedMatrix& q, const float* subtract, MatrixView<float> out,
                       Stream stream = {});

namespace detail {
void dequantize_matrix_cpu(const CodedMatrix& q, const float* subtract, MatrixView<float> out);
void dequantize_matrix_cuda(const CodedMatrix& q, const float* subtract, MatrixView<float> out,
                            Stream stream);
}  // namespace detail

}  // namespace svdlab
