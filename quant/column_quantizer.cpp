#include "quant/column_quantizer.h"

#include "kernels/dequantize_matrix.h"

namespace svdlab {

ColumnQuantizer::ColumnQuantizer(QuantizedTensor& q)
    : whole_(coded_matrix(q)),
      codes_(matrix_view<uint8_t>(q.codes, "codes")),
      spec_(quantize_spec(q.scheme, q.cols())),
      scales_(q.rows()),
      column_(q.rows()) {
  spec_.group = 1;
  if (q.codebook.defined()) {
    spec_.codebook = q.codebook.data_ptr<float>();
    spec_.levels = static_cast<int>(q.codebook.numel());
  }
  if (q.zeros.defined()) zeros_.resize(q.rows());
}

Tensor ColumnQuantizer::quantize(int64_t c, const Tensor& values) {
  const int64_t rows = whole_.rows();
  const Tensor x = values.contiguous(), out = at::empty({rows}, at::kFloat);
  for (int64_t r = 0; r < rows; ++r) scales_[r] = whole_.scale_row(r)[c / whole_.group];
  for (size_t r = 0; r < zeros_.size(); ++r)
    zeros_[r] = whole_.zero_row(static_cast<int64_t>(r))[c / whole_.group];
  // As one row whose groups are single values: the kernels' own arithmetic decides every code, on adjacent
  // memory.
  const MatrixView<const float> scales(scales_.data(), 1, rows, rows);
  const MatrixView<uint8_t> codes(column_.data(), 1, rows, rows);
  if (!zeros_.empty()) spec_.zeros = {zeros_.data(), 1, rows, rows};
  encode_matrix({x.data_ptr<float>(), 1, rows}, nullptr, spec_, scales, whole_.tensor_scale, codes);
  dequantize_matrix({whole_.format, 1, codes, scales, whole_.tensor_scale, spec_.zeros, spec_.codebook},
                    nullptr, {out.data_ptr<float>(), 1, rows});
  for (int64_t r = 0; r < rows; ++r) codes_(r, c) = column_[r];
  return out;
}

}  // namespace svdlab
