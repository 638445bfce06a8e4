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

QuantizeSpec segment_spec(const ActivationScheme& scheme, const Segment& segment, bool may_shift) {
  SVDLAB_REQUIRE(!scheme.tensor.two_level, Errc::kConfig,
                 "activations have one level of scales; drop two_level");
  TensorScheme tensor = scheme.tensor;
  const bool shifted = may_shift && scheme.shift_after_gelu && segment.producer == Producer::kGelu;
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

const float* smooth_data(const Tensor& smooth, const Tensor& x) {
  if (!smooth.defined()) return nullptr;
  SVDLAB_REQUIRE(smooth.dim() == 1 && smooth.size(0) == x.size(1) && smooth.scalar_type() == at::kFloat &&
                     smooth.device() == x.device() && smooth.is_contiguous(),
                 Errc::kInput, "smoothing vector must be fp32 [", x.size(1),
                 "] on the device of the input, is ", smooth.dtype(), " ", smooth.sizes());
  return smooth.data_ptr<float>();
}

// [1 or T, 1] fp32: one scale for each token, or one for all.
Tensor given_scales(const Tensor& x, const ActivationScheme& scheme, const Tensor& range) {
  if (scheme.range == Range::kStatic) return range.slice(0, 0, 1).view({1, 1}).contiguous();
  const Tensor largest = x.abs().amax(1, /*keepdim=*/true).to(at::kDouble);
  return (largest.pow(scheme.exponent) / largest_code_value(scheme.tensor.format))
      .to(at::kFloat)
      .clamp_min(0x1p-126);
}

void check_range(const ActivationScheme& scheme, size_t segments, const Tensor& ranges) {
  const Grouping grouping = scheme.tensor.grouping;
  SVDLAB_REQUIRE(scheme.range != Range::kStatic ||
                     (grouping == Grouping::kTensor && ranges.defined() && ranges.dim() == 2 &&
                      ranges.size(0) == static_cast<int64_t>(segments) && ranges.size(1) == 2),
                 Errc::kConfig, "static activations need grouping tensor and a range for each of ", segments,
                 " segments");
  SVDLAB_REQUIRE(scheme.range != Range::kCross || grouping == Grouping::kRow, Errc::kConfig,
                 "cross activations have a scale for each token; use grouping row");
  SVDLAB_REQUIRE(scheme.range == Range::kStatic || scheme.tensor.format != NumberFormat::kAffine,
                 Errc::kConfig, "affine activations need a static range: activations {static: {}}");
}

// Where x goes before it is rounded: what quantize_matrix divides by, and everything else.
struct Prepared {
  Tensor values;           // [T, K]
  const float* divide_by;  // [K] or nullptr
  bool may_shift;
};

Prepared prepared(const Tensor& x, const OnlineTransform& online) {
  if (online.then.empty()) return {x, smooth_data(online.smooth, x), true};
  return {online.apply(x).contiguous(), nullptr, false};
}

SegmentCodes quantize_segment(const Tensor& x, const Prepared& p, const ActivationScheme& scheme,
                              const Segment& segment, const Tensor& range) {
  QuantizeSpec spec = segment_spec(scheme, segment, p.may_shift);
  const MatrixView<float> values = device_view<float>(p.values, "input to quantize");
  const float* divide_by = p.divide_by ? p.divide_by + segment.begin : nullptr;
  const int64_t scale_rows = scheme.tensor.grouping == Grouping::kTensor ? 1 : values.rows;
  SegmentCodes out{.segment = segment,
                   .codes = at::empty({values.rows, segment.size()}, x.options().dtype(at::kByte)),
                   .scales = {},
                   .zeros = {},
                   .view = {},
                   .shift = spec.shift};
  const MatrixView<uint8_t> codes = device_view<uint8_t>(out.codes, "input codes");
  const bool dynamic = scheme.range == Range::kDynamic;
  out.scales = dynamic ? at::empty({scale_rows, segment.size() / spec.group}, x.options())
                       : given_scales(x, scheme, range);
  const MatrixView<float> scales = device_view<float>(out.scales, "input scales");
  if (scheme.tensor.format == NumberFormat::kAffine) {
    out.zeros = range.slice(0, 1, 2).view({1, 1}).contiguous();
    spec.zeros = device_view<float>(out.zeros, "input zero points");
  }
  const KernelScratch scratch = quantize_scratch(x);
  if (dynamic)
    quantize_matrix(columns_of(values, segment), divide_by, spec, codes, scales, scratch.stream());
  else
    encode_matrix(columns_of(values, segment), divide_by, spec, scales, 1.0f, codes, scratch.stream());
  out.view = {spec.format, spec.group, codes, scales, 1.0f, spec.zeros};
  return out;
}

}  // namespace

std::vector<SegmentCodes> quantize_input(const Tensor& x, const OnlineTransform& online,
                                         const ActivationScheme& scheme, const std::vector<Segment>& segments,
                                         const Tensor& ranges) {
  device_view<float>(x, "input to quantize");
  check_segments(segments, x.size(1));
  check_range(scheme, segments.size(), ranges);
  const Prepared p = prepared(x, online);
  std::vector<SegmentCodes> out;
  for (const Segment& segment : segments)
    out.push_back(quantize_segment(x, p, scheme, segment,
                                   ranges.defined() ? ranges[static_cast<int64_t>(out.size())] : Tensor()));
  return out;
}

Tensor fake_quantize(const Tensor& x, const OnlineTransform& online, const ActivationScheme& scheme,
                     const std::vector<Segment>& segments, const Tensor& ranges) {
  Tensor out = at::empty(x.sizes(), x.options());
  const MatrixView<float> values = device_view<float>(out, "quantized input");
  const Tensor& smooth = online.smooth;
  for (const SegmentCodes& part : quantize_input(x, online, scheme, segments, ranges)) {
    const Segment& s = part.segment;
    const Tensor shift =
        part.shift == 0 ? Tensor()
        : smooth.defined()
            ? at::full({s.size()}, part.shift, x.options()).div_(smooth.slice(0, s.begin, s.end))
            : at::full({s.size()}, part.shift, x.options());
    dequantize_matrix(part.view, shift.defined() ? shift.data_ptr<float>() : nullptr, columns_of(values, s),
                      kernel_stream(x.device()));
  }
  return out;
}

}  // namespace svdlab
