#include "core/ir/quantize.h"

#include "core/base/error.h"

namespace svdlab {

template <class T>
MatrixView<T> device_view(const Tensor& t, const char* what) {
  SVDLAB_REQUIRE(t.defined() && t.dim() == 2, Errc::kUnexpected, what, ": need a matrix");
  SVDLAB_REQUIRE(t.scalar_type() == c10::CppTypeToScalarType<T>::value, Errc::kUnexpected, what,
                 ": dtype is ", t.dtype(), ", need ", c10::toString(c10::CppTypeToScalarType<T>::value));
  SVDLAB_REQUIRE(t.size(1) <= 1 || t.stride(1) == 1, Errc::kUnexpected, what, ": columns are not adjacent");
  return {t.data_ptr<T>(), t.size(0), t.size(1), t.size(0) <= 1 ? t.size(1) : t.stride(0)};
}

template <class T>
MatrixView<T> matrix_view(const Tensor& t, const char* what) {
  SVDLAB_REQUIRE(!t.defined() || t.device().is_cpu(), Errc::kUnexpected, what, ": need a matrix on the CPU");
  return device_view<T>(t, what);
}
template MatrixView<float> matrix_view(const Tensor&, const char*);
template MatrixView<uint8_t> matrix_view(const Tensor&, const char*);
template MatrixView<float> device_view(const Tensor&, const char*);
template MatrixView<double> device_view(const Tensor&, const char*);
template MatrixView<uint8_t> device_view(const Tensor&, const char*);

KernelScratch quantize_scratch(const Tensor& t) {
  return {t.device(), t.device().is_cpu() ? 0 : kQuantizeWorkspace};
}

CodedMatrix coded_matrix(const QuantizedTensor& q) {
  CodedMatrix view;
  view.format = q.scheme.format;
  view.codes = device_view<uint8_t>(q.codes, "codes");
  view.scales = device_view<float>(q.scales, "scales");
  view.group = q.scheme.grouping == Grouping::kGroup ? q.scheme.group : q.cols();
  view.tensor_scale = q.tensor_scale;
  if (q.scheme.format == NumberFormat::kAffine) view.zeros = device_view<float>(q.zeros, "zero points");
  if (q.scheme.format == NumberFormat::kCodebook) {
    const Tensor& book = q.codebook;
    SVDLAB_REQUIRE(book.defined() && book.scalar_type() == at::kFloat && book.dim() == 1, Errc::kUnexpected,
                   "codebook: need fp32 [levels]");
    const int64_t largest = q.codes.numel() ? q.codes.max().item<int64_t>() : 0;
    SVDLAB_REQUIRE(largest < book.size(0), Errc::kInput, "code ", largest, " is outside of a codebook of ",
                   book.size(0));
    view.codebook = book.data_ptr<float>();
  }
  check_coded(view, "quantized tensor");
  return view;
}

QuantizeSpec quantize_spec(const TensorScheme& scheme, int64_t columns) {
  const int64_t group = scheme.grouping == Grouping::kGroup ? scheme.group : columns;
  SVDLAB_REQUIRE(group > 0 && columns % group == 0, Errc::kConfig, "group ", group, " does not divide ",
                 columns, " columns; choose a divisor or per-row scales");
  return {.format = scheme.format,
          .scale = scheme.scale,
          .group = group,
          .two_level = scheme.two_level,
          .bits = scheme.bits};
}

QuantizedTensor empty_quantized(const TensorScheme& scheme, int64_t rows, int64_t cols, at::Device device) {
  const int64_t scale_rows = scheme.grouping == Grouping::kTensor ? 1 : rows;
  const int64_t groups = cols / quantize_spec(scheme, cols).group;
  return {.scheme = scheme,
          .codes = at::zeros({rows, cols}, at::TensorOptions(device).dtype(at::kByte)),
          .scales = at::empty({scale_rows, groups}, at::TensorOptions(device).dtype(at::kFloat))};
}

void encode(const Tensor& m, QuantizedTensor& q) {
  const Tensor source = m.contiguous();
  QuantizeSpec spec = quantize_spec(q.scheme, q.cols());
  if (q.zeros.defined()) spec.zeros = device_view<float>(q.zeros, "zero points");
  if (q.codebook.defined()) spec.codebook = q.codebook.data_ptr<float>();
  if (q.codebook.defined()) spec.levels = static_cast<int>(q.codebook.numel());
  encode_matrix(device_view<float>(source, "matrix to quantize"), nullptr, spec,
                device_view<float>(q.scales, "scales"), q.tensor_scale,
                device_view<uint8_t>(q.codes, "codes"), quantize_scratch(source).stream());
}

QuantizedTensor quantize_to_codebook(const Tensor& m, const TensorScheme& scheme, const Tensor& codebook) {
  TensorScheme own = scheme;
  own.format = NumberFormat::kCodebook;
  own.bits = 1;
  while ((int64_t{1} << own.bits) < codebook.numel()) ++own.bits;
  QuantizedTensor q = empty_quantized(own, m.size(0), m.size(1), m.device());
  q.codebook = codebook;
  const Tensor source = m.contiguous();
  QuantizeSpec spec = quantize_spec(own, m.size(1));
  spec.codebook = codebook.data_ptr<float>();
  spec.levels = static_cast<int>(codebook.numel());
  q.tensor_scale = quantize_matrix(device_view<float>(source, "matrix to quantize"), nullptr, spec,
                                   device_view<uint8_t>(q.codes, "codes"),
                                   device_view<float>(q.scales, "scales"), quantize_scratch(source).stream());
  return q;
}

QuantizedTensor quantize(const Tensor& m, const TensorScheme& scheme) {
  const Tensor source = m.contiguous();
  const MatrixView<float> values = device_view<float>(source, "matrix to quantize");
  QuantizedTensor q = empty_quantized(scheme, values.rows, values.cols, m.device());
  q.tensor_scale = quantize_matrix(values, nullptr, quantize_spec(scheme, values.cols),
                                   device_view<uint8_t>(q.codes, "codes"),
                                   device_view<float>(q.scales, "scales"), quantize_scratch(source).stream());
  return q;
}

}  // namespace svdlab
