#include "core/runtime/fake_quantize.h"

#include "core/base/error.h"
#include "core/ir/quantize.h"
#include "kernels/dequantize_matrix.h"

namespace svdlab {
namespace {

void check_segments(const std::vector<Segment>& segments, int64_t columns) {
  int64_t end = 0;
  for (const Segment& s : segments) {
    SVDLAB_REQUIRE(s.begin == end && s.end > s.begin, Errc::kConfig, "segment [", s.begin, ", ", s.end,
                   ") does not continue at ", end);
    end = s.end;
  }
  SVDLAB_REQUIRE(end == columns, Errc::kConfig, "segments end at ", end, ", the input has ", columns,
                 " columns");
}

QuantizeSpec segment_spec(const ActivationScheme& scheme, const Segment& segment) {
  SVDLAB_REQUIRE(!scheme.tensor.two_level, Errc::kConfig,
                 "activations have one level of scales; drop two_level");
  TensorScheme tensor = scheme.tensor;
  const bool shifted = scheme.shift_after_gelu && segment.producer == Producer::kGelu;
  if (shifted) {
    SVDLAB_REQUIRE(tensor.format == NumberFormat::kInt4, Errc::kConfig,
                   "shift_after_gelu is for int4 activations, not ", to_string(tensor.format));
    tensor.format = NumberFormat::kUint4;
  }
  QuantizeSpec spec = quantize_spec(tensor, segment.size());
  spec.shift = shifted ? kGeluShift : 0.0f;
  return spec;
}

template <class T>
MatrixView<T> columns_of(MatrixView<T> m, const Segment& s) {
  return {m.data + s.begin, m.rows, s.size(), m.row_stride};
}

const float* smooth_data(const Tensor& smooth, int64_t columns) {
  if (!smooth.defined()) return nullptr;
  SVDLAB_REQUIRE(smooth.dim() == 1 && smooth.size(0) == columns && smooth.scalar_type() == at::kFloat &&
                     smooth.device().is_cpu() && smooth.is_contiguous(),
                 Errc::kInput, "smoothing vector must be fp32 [", columns, "] on the CPU, is ",
                 smooth.dtype(), " ", smooth.sizes());
  return smooth.data_ptr<float>();
}

SegmentCodes quantize_segment(MatrixView<float> x, const float* smooth, const ActivationScheme& scheme,
                              const Segment& segment) {
  const QuantizeSpec spec = segment_spec(scheme, segment);
  const int64_t scale_rows = scheme.tensor.grouping == Grouping::kTensor ? 1 : x.rows;
  SegmentCodes out{.segment = segment,
                   .codes = at::empty({x.rows, segment.size()}, at::kByte),
                   .scales = at::empty({scale_rows, segment.size() / spec.group}, at::kFloat),
                   .view = {},
                   .shift = spec.shift};
  const MatrixView<uint8_t> codes = matrix_view<uint8_t>(out.codes, "input codes");
  const MatrixView<float> scales = matrix_view<float>(out.scales, "input scales");
  quantize_matrix(columns_of(x, segment), smooth ? smooth + segment.begin : nullptr, spec, codes, scales);
  out.view = {spec.format, spec.group, codes, scales, 1.0f};
  return out;
}

}  // namespace

std::vector<SegmentCodes> quantize_input(const Tensor& x, const Tensor& smooth,
                                         const ActivationScheme& scheme,
                                         const std::vector<Segment>& segments) {
  const MatrixView<float> values = matrix_view<float>(x, "input to quantize");
  check_segments(segments, values.cols);
  const float* divide_by = smooth_data(smooth, values.cols);
  std::vector<SegmentCodes> out;
  for (const Segment& segment : segments) out.push_back(quantize_segment(values, divide_by, scheme, segment));
  return out;
}

Tensor fake_quantize(const Tensor& x, const Tensor& smooth, const ActivationScheme& scheme,
                     const std::vector<Segment>& segments) {
  Tensor out = at::empty(x.sizes(), at::kFloat);
  const MatrixView<float> values = matrix_view<float>(out, "quantized input");
  for (const SegmentCodes& part : quantize_input(x, smooth, scheme, segments)) {
    const Segment& s = part.segment;
    const Tensor shift = part.shift == 0 ? Tensor()
                         : smooth.defined()
                             ? at::full({s.size()}, part.shift).div_(smooth.slice(0, s.begin, s.end))
                             : at::full({s.size()}, part.shift);
    dequantize_matrix(part.view, shift.defined() ? shift.data_ptr<float>() : nullptr, columns_of(values, s));
  }
  return out;
}

}  // namespace svdlab
