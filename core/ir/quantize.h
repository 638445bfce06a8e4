#pragma once
#include "core/ir/compressed.h"
#include "core/runtime/kernel_stream.h"
#include "kernels/coded_matrix.h"
#include "kernels/quantize_matrix.h"

namespace svdlab {

/// The kernels' view of `q`, whose tensors it borrows. Throws kInput when shapes or dtypes do not fit
/// together.
CodedMatrix coded_matrix(const QuantizedTensor& q);

/// `scheme` for a matrix of `columns` columns. Throws kConfig when the group does not divide them.
QuantizeSpec quantize_spec(const TensorScheme& scheme, int64_t columns);

/// A QuantizedTensor for `scheme` with room for [rows, cols]; codes and scales are not filled in.
QuantizedTensor empty_quantized(const TensorScheme& scheme, int64_t rows, int64_t cols,
                                at::Device device = at::kCPU);

/// Round to nearest with scales from the largest magnitudes (see quantize_matrix).
/// @param m  [rows, cols] fp32, finite; the result is on its device.
QuantizedTensor quantize(const Tensor& m, const TensorScheme& scheme);

/// The same with a codebook [levels] fp32, ascending in [-1, 1], in place of the scheme's format: scales take
/// the largest magnitude of each group to 1, codes are those of the nearest levels.
QuantizedTensor quantize_to_codebook(const Tensor& m, const TensorScheme& scheme, const Tensor& codebook);

/// Codes of m [rows, cols] under the scales, zero points and codebook that `q` has; replaces q.codes.
void encode(const Tensor& m, QuantizedTensor& q);

/// A view for kernels. Throws kUnexpected unless `t` is a CPU matrix of T with adjacent columns.
template <class T>
MatrixView<T> matrix_view(const Tensor& t, const char* what);

/// The same on any device: for ops that are given a stream of it.
template <class T>
MatrixView<T> device_view(const Tensor& t, const char* what);

/// Where the ops of quantize_matrix.h run on `t`: with the workspace that they need.
KernelScratch quantize_scratch(const Tensor& t);

}  // namespace svdlab
