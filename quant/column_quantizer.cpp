#include "quant/column_quantizer.h"

#include "kernels/dequantize_matrix.h"

namespace svdlab {

ColumnQuantizer::ColumnQuantizer(QuantizedTensor& q)
    : whole_(coded_matrix(q)),
      codes_(matrix_view<uint8_t>(q.codes, "codes")),
      spec_(quantize_spec(q.scheme, q.cols())) {
  spec_.group = 1;
}

Tensor ColumnQuantizer::quantize(int64_t c, const Tensor& values) {
  const int64_t rows = whole_.rows();
  const Tensor x = values.contiguous(), out = at::empty({rows}, at::kFloat);
  // A matrix of one column, whose group is that column: the kernels' own arithmetic decides every code.
  const MatrixView<uint8_t> codes(codes_.data + c, rows, 1, codes_.row_stride);
  const MatrixView<const float> scales(whole_.scales.data + c / whole_.group, whole_.scales.rows, 1,
                                       whole_.scales.row_stride);
  encode_matrix({x.data_ptr<float>(), rows, 1}, nullptr, spec_, scales, whole_.tensor_scale, codes);
  dequantize_matrix({whole_.format, 1, codes, scales, whole_.tensor_scale}, nullptr,
                    {out.data_ptr<float>(), rows, 1});
  return out;
}

}  // namespace svdlab
