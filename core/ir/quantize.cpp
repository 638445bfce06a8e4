#include "core/ir/quantize.h"

#include "core/base/error.h"

namespace svdlab {

template <class T>
MatrixView<T> matrix_view(const Tensor& t, const char* what) {
  SVDLAB_REQUIRE(t.defined() && t.dim() == 2 && t.device().is_cpu(), Errc::kUnexpected, what,
                 ": need a matrix on the CPU");
  SVDLAB_REQUIRE(t.scalar_type() == c10::CppTypeToScalarType<T>::value, Errc::kUnexpected, what,
                 ": dtype is ", t.dtype(), ", need ", c10::toString(c10::CppTypeToScalarType<T>::value));
  SVDLAB_REQUIRE(t.size(1) <= 1 || t.stride(1) == 1, Errc::kUnexpected, what, ": columns are not adjacent");
  return {t.data_ptr<T>(), t.size(0), t.size(1), t.size(0) <= 1 ? t.size(1) : t.stride(0)};
}
template MatrixView<float> matrix_view(const Tensor&, const char*);
template MatrixView<uint8_t> matrix_view(const Tensor&, const char*);

CodedMatrix coded_matrix(const QuantizedTensor& q) {
  CodedMatrix view;
  view.format = q.scheme.format;
  view.codes = matrix_view<uint8_t>(q.codes, "codes");
  view.scales = matrix_view<float>(q.scales, "scales");
  view.group = q.scheme.grouping == Grouping::kGroup ? q.scheme.group : q.cols();
  view.tensor_scale = q.tensor_scale;
  check_coded(view, "quantized tensor");
  return view;
}

QuantizeSpec quantize_spec(const TensorScheme& scheme, int64_t columns) {
  const int64_t group = scheme.grouping == Grouping::kGroup ? scheme.group : columns;
  SVDLAB_REQUIRE(group > 0 && columns % group == 0, Errc::kConfig, "group ", group, " does not divide ",
                 columns, " columns; choose a divisor or per-row scales");
  return {.format = scheme.format, .scale = scheme.scale, .group = group, .two_level = scheme.two_level};
}

QuantizedTensor empty_quantized(const TensorScheme& scheme, int64_t rows, int64_t cols) {
  const int64_t scale_rows = scheme.grouping == Grouping::kTensor ? 1 : rows;
  const int64_t groups = cols / quantize_spec(scheme, cols).group;
  return {.scheme = scheme,
          .codes = at::empty({rows, cols}, at::kByte),
          .scales = at::empty({scale_rows, groups}, at::kFloat)};
}

QuantizedTensor quantize(const Tensor& m, const TensorScheme& scheme) {
  const Tensor source = m.contiguous();
  const MatrixView<float> values = matrix_view<float>(source, "matrix to quantize");
  QuantizedTensor q = empty_quantized(scheme, values.rows, values.cols);
  q.tensor_scale =
      quantize_matrix(values, nullptr, quantize_spec(scheme, values.cols),
                      matrix_view<uint8_t>(q.codes, "codes"), matrix_view<float>(q.scales, "scales"));
  return q;
}

}  // namespace svdlab
