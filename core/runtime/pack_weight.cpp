#include "core/runtime/pack_weight.h"

#include "core/base/error.h"
#include "core/formats/fp8_e4m3.h"

namespace svdlab {
namespace {

Tensor padded_rows(const Tensor& x, int64_t rows) {
  return x.size(0) == rows ? x : at::constant_pad_nd(x, {0, 0, 0, rows - x.size(0)});
}

int64_t rounded_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

// Codes [N, K] in the order of kFragments64, the eight nibbles of a word innermost: row 16 w + 8 i + a and
// column 32 s + 16 h + 4 b + e of a tile are nibble 4 h + e of word 2 s + i of thread 32 w + 4 a + b.
Tensor in_fragment_order(const Tensor& codes) {
  const Tensor rows = padded_rows(codes, rounded_up(codes.size(0), kFragmentTile));
  return rows.view({rows.size(0) / 64, 4, 2, 8, rows.size(1) / 64, 2, 2, 4, 4})
      .permute({0, 4, 1, 3, 7, 5, 2, 6, 8})
      .reshape({-1, 8});
}

Tensor nibble_pairs(const Tensor& codes) {
  const Tensor pairs = codes.reshape({-1, 2});
  return pairs.select(1, 0) + pairs.select(1, 1) * 16;
}

// Byte b of a word holds the magnitudes of elements b and 4 + b, the sign of b, and that of the element whose
// magnitude is in the byte before; see kSignedFragments64.
Tensor signed_fragments(const Tensor& codes) {
  SVDLAB_REQUIRE(!codes.eq(8).any().item<bool>(), Errc::kConfig,
                 "a weight has code -8, which has no place in ", to_string(CodeLayout::kSignedFragments64),
                 "; codes must be -7 to 7");
  const Tensor words = in_fragment_order(codes), negative = words.gt(7).to(at::kByte);
  const Tensor magnitude = at::where(negative.to(at::kBool), 16 - words, words);
  const auto low = [](const Tensor& t) { return t.slice(1, 0, 4); };
  const auto high = [](const Tensor& t) { return t.slice(1, 4, 8); };
  return low(magnitude) + low(negative) * 128 + high(magnitude) * 16 + high(negative).roll(1, 1) * 8;
}

Tensor laid_out(const Tensor& codes, CodeLayout layout) {
  switch (layout) {
    case CodeLayout::kBytes:
      return codes;
    case CodeLayout::kNibbles:
      return nibble_pairs(codes);
    case CodeLayout::kFragments64:
      return nibble_pairs(in_fragment_order(codes));
    case CodeLayout::kSignedFragments64:
      return signed_fragments(codes);
    case CodeLayout::kE4M3:
      break;
  }
  throw Error(Errc::kConfig, concat("weights have no layout ", to_string(layout)));
}

// The bytes of non-negative e4m3 values.
Tensor e4m3_bytes(const Tensor& scales) {
  std::vector<float> values;
  for (int code = 0; code < 0x7f; ++code) values.push_back(fp8_e4m3_decode(static_cast<uint8_t>(code)));
  const Tensor table = at::tensor(values).to(scales.device());
  const Tensor code = at::searchsorted(table, scales.contiguous()).clamp_max(0x7e);
  SVDLAB_REQUIRE(table.take(code).equal(scales), Errc::kInput, "a weight's scale is no value of e4m3");
  return code.to(at::kByte);
}

// [rows, groups] fp32 as the bytes of PackedView::scales.
Tensor scale_bytes(const Tensor& scales, const PackedMatrix& shape) {
  if (shape.scale == ScaleFormat::kE4M3)
    return at::constant_pad_nd(e4m3_bytes(scales), {0, shape.scale_stride - shape.groups()});
  const Tensor lines = at::constant_pad_nd(scales.t(), {0, shape.scale_stride - shape.rows}).contiguous();
  if (shape.scale == ScaleFormat::kFp32) return lines.view(at::kByte);
  const Tensor rounded = lines.to(at::kBFloat16);
  SVDLAB_REQUIRE(rounded.to(at::kFloat).equal(lines), Errc::kInput, "a weight's scale is no value of bf16");
  return rounded.view(at::kByte);
}

// The largest scale of each row without its mantissa.
Tensor row_powers(const Tensor& scales) {
  return scales.amax(1).view(at::kInt).bitwise_and(0x7f800000).view(at::kFloat);
}

}  // namespace

PackedMatrix PackedWeight::view() const {
  PackedMatrix out = shape;
  out.codes = codes.data_ptr<uint8_t>();
  out.scales = scales.data_ptr<uint8_t>();
  out.row_powers = row_powers.data_ptr<float>();
  return out;
}

int64_t PackedWeight::bytes() const { return codes.numel() + scales.numel() + 4 * row_powers.numel(); }

std::string why_not_packed(const TensorScheme& s) {
  const auto is = [&](NumberFormat format, ScaleFormat scale, Grouping grouping, int64_t group) {
    return s.format == format && s.scale == scale && s.grouping == grouping &&
           (grouping != Grouping::kGroup || s.group == group);
  };
  if (s.scale_code_bits == 0 && (is(NumberFormat::kInt4, ScaleFormat::kBf16, Grouping::kGroup, 64) ||
                                 is(NumberFormat::kNf4, ScaleFormat::kBf16, Grouping::kGroup, 64) ||
                                 is(NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, Grouping::kGroup, 16) ||
                                 is(NumberFormat::kInt8, ScaleFormat::kFp32, Grouping::kRow, 0)))
    return "";
  const std::string groups = s.grouping == Grouping::kGroup ? concat("in groups of ", s.group)
                             : s.grouping == Grouping::kRow ? std::string("for each row")
                                                            : std::string("for the whole tensor");
  return concat("weights are ", to_string(s.format), " with ", to_string(s.scale), " scales ", groups,
                s.scale_code_bits > 0 ? concat(", themselves quantized to ", s.scale_code_bits, " bits") : "",
                "; kernels have int4 and nf4 with bf16 in groups of 64, e2m1 with e4m3 in groups of 16, int8 "
                "with fp32 for each row");
}

PackedWeight pack_weight(const QuantizedTensor& weight, CodeLayout layout, at::Device device) {
  const std::string refused = why_not_packed(weight.scheme);
  SVDLAB_REQUIRE(refused.empty(), Errc::kConfig, refused);
  const int64_t rows = weight.rows(), cols = weight.cols();
  SVDLAB_REQUIRE(cols % kFragmentTile == 0, Errc::kConfig, "a weight has ", cols,
                 " columns, kernels need a multiple of ", kFragmentTile);
  const NoGradGuard no_grad;
  PackedWeight out;
  out.shape = {.format = weight.scheme.format,
               .layout = layout,
               .scale = weight.scheme.scale,
               .rows = rows,
               .cols = cols,
               .group = weight.scheme.grouping == Grouping::kGroup ? weight.scheme.group : cols,
               .tensor_scale = weight.tensor_scale};
  out.shape.code_stride = packed_code_stride(layout, cols);
  out.shape.scale_stride = packed_scale_stride(out.shape.scale, rows, out.shape.groups());
  const Tensor scales = weight.scales.to(device);
  out.codes = laid_out(weight.codes.to(device).contiguous(), layout).contiguous();
  out.scales = scale_bytes(scales, out.shape).contiguous();
  out.row_powers = row_powers(scales).contiguous();
  return out;
}

QuantizedTensor stacked_rows(const std::vector<const QuantizedTensor*>& weights) {
  QuantizedTensor out = *weights.front();
  if (weights.size() == 1) return out;
  std::vector<Tensor> codes, scales;
  for (const QuantizedTensor* w : weights) {
    SVDLAB_REQUIRE(w->scheme == out.scheme && w->cols() == out.cols(), Errc::kInput,
                   "weights of one product differ in scheme or width: ", w->cols(), " and ", out.cols(),
                   " columns");
    codes.push_back(w->codes);
    scales.push_back(w->scales);
  }
  out.codes = at::cat(codes);
  out.scales = at::cat(scales);
  return out;
}

}  // namespace svdlab
