#pragma once
#include "core/ir/compressed.h"
#include "kernels/coded_matrix.h"
#include "kernels/quantize_matrix.h"

namespace svdlab {

/// The kernels' view of `q`, whose tensors it borrows. Throws kInput when shapes or dtypes do not fit
/// together.
CodedMatrix coded_matrix(const QuantizedTensor& q);

/// `scheme` for a matrix of `columns` columns. Throws kConfig when the group does not divide them.
QuantizeSpec quantize_spec(const TensorScheme& scheme, int64_t columns);

/// A QuantizedTensor for `scheme` with room for [rows, cols]; codes and scales are not filled in.
QuantizedTensor empty_quantized(const TensorScheme& scheme, int64_t rows, int64_t cols);

/// Round to nearest with scales from the largest magnitudes (see quantize_matrix).
/// @param m  [rows, cols] fp32 on the CPU, finite.
QuantizedTensor quantize(const Tensor& m, const TensorScheme& scheme);

/// The same with a codebook [levels] fp32, ascending in [-1, 1], in place of the scheme's format: scales take
/// the largest magnitude of each group to 1, codes are those of the nearest levels.
QuantizedTensor quantize_to_codebook(const Tensor& m, const TensorScheme& scheme, const Tensor& codebook);

/// Codes of m [rows, cols] under the scales, zero points and codebook that `q` has; replaces q.codes.
void encode(const Tensor& m, QuantizedTensor& q);

/// A view for kernels. Throws kUnexpected unless `t` is a CPU matrix of T with adjacent columns.
template <class T>
MatrixView<T> matrix_view(const Tensor& t, const char* what);

}  // namespace svdlab
