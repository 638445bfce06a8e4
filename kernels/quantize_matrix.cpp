#include "kernels/quantize_matrix.h"

#include <cmath>

#include "core/base/error.h"
#include "core/formats/fp4_e2m1.h"
#include "core/formats/int4.h"
#include "core/formats/int8.h"
#include "core/formats/uint4.h"

namespace svdlab {
namespace {

void check(MatrixView<const float> x, const float* divide_by, const QuantizeSpec& spec,
           MatrixView<const uint8_t> codes, MatrixView<const float> scales, const Stream& stream) {
  SVDLAB_REQUIRE(spec.group > 0 && x.cols % spec.group == 0, Errc::kConfig, "quantize: group ", spec.group,
                 " does not divide ", x.cols, " columns");
  SVDLAB_REQUIRE(codes.rows == x.rows && codes.cols == x.cols, Errc::kUnexpected, "quantize: codes are [",
                 codes.rows, ", ", codes.cols, "] for values [", x.rows, ", ", x.cols, "]");
  SVDLAB_REQUIRE((scales.rows == x.rows || scales.rows == 1) && scales.cols == x.cols / spec.group,
                 Errc::kUnexpected, "quantize: scales are [", scales.rows, ", ", scales.cols, "], need [",
                 x.rows, " or 1, ", x.cols / spec.group, "]");
  SVDLAB_REQUIRE(!spec.two_level || spec.scale == ScaleFormat::kE4M3, Errc::kConfig,
                 "quantize: two_level needs e4m3 scales");
  SVDLAB_REQUIRE(spec.format != NumberFormat::kCodebook || (spec.codebook && spec.levels >= 2), Errc::kConfig,
                 "quantize: a codebook of ", spec.levels, " levels; at least 2 are needed");
  SVDLAB_REQUIRE(std::isfinite(spec.shift) && (spec.shift == 0 || spec.format == NumberFormat::kUint4),
                 Errc::kConfig, "quantize: shift ", spec.shift,
                 " needs unsigned codes; use uint4 or shift 0");
  const bool on_gpu = stream.device == Device::kCuda;
  SVDLAB_REQUIRE(!on_gpu || stream.workspace_bytes >= kQuantizeWorkspace, Errc::kUnexpected,
                 "quantize: a workspace of ", stream.workspace_bytes, " bytes, needs ", kQuantizeWorkspace);
  for (int64_t c = 0; !on_gpu && divide_by != nullptr && c < x.cols; ++c)
    SVDLAB_REQUIRE(divide_by[c] > 0 && std::isfinite(divide_by[c]), Errc::kInput, "quantize: divide_by[", c,
                   "] = ", divide_by[c], "; smoothing factors must be finite and > 0");
}

[[noreturn]] void refuse_non_finite(MatrixView<const float> x, const float* divide_by, float shift) {
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t c = 0; c < x.cols; ++c) {
      const float value = divide_by ? (x(r, c) + shift) / divide_by[c] : x(r, c) + shift;
      SVDLAB_REQUIRE(std::isfinite(value), Errc::kInput, "quantize: x(", r, ", ", c, ") = ", x(r, c),
                     std::isfinite(x(r, c)) ? " overflows when smoothed" : "",
                     "; only finite values can be quantized");
    }
  throw Error(Errc::kUnexpected, "quantize: a value was not finite and is now");
}

}  // namespace

float largest_code_value(NumberFormat format) {
  switch (format) {
    case NumberFormat::kInt4:
      return kInt4Max;
    case NumberFormat::kUint4:
      return kUint4Max;
    case NumberFormat::kInt8:
      return kInt8Max;
    case NumberFormat::kNf4:
      return 1.0f;
    case NumberFormat::kFp4E2M1:
      return kFp4E2M1Max;
    case NumberFormat::kCodebook:
      return 1.0f;
    case NumberFormat::kAffine:
      throw Error(Errc::kConfig, "affine codes need a zero point: use a weight quantizer that makes one");
  }
  throw Error(Errc::kUnexpected, "unknown number format");
}

float quantize_matrix(MatrixView<const float> x, const float* divide_by, const QuantizeSpec& spec,
                      MatrixView<uint8_t> codes, MatrixView<float> scales, Stream stream) {
  check(x, divide_by, spec, codes, scales, stream);
  if (stream.device == Device::kCuda)
    return detail::quantize_matrix_cuda(x, divide_by, spec, codes, scales, stream);
  float tensor_scale = 1.0f;
  if (!detail::find_scales_cpu(x, divide_by, spec, scales, &tensor_scale))
    refuse_non_finite(x, divide_by, spec.shift);
  detail::encode_matrix_cpu(x, divide_by, spec, scales, tensor_scale, codes);
  return tensor_scale;
}

void encode_matrix(MatrixView<const float> x, const float* divide_by, const QuantizeSpec& spec,
                   MatrixView<const float> scales, float tensor_scale, MatrixView<uint8_t> codes,
                   Stream stream) {
  check(x, divide_by, spec, codes, scales, stream);
  if (stream.device == Device::kCuda)
    return detail::encode_matrix_cuda(x, divide_by, spec, scales, tensor_scale, codes, stream);
  SVDLAB_REQUIRE(spec.format != NumberFormat::kAffine ||
                     (spec.bits >= 1 && spec.bits <= 8 && spec.zeros.rows == scales.rows &&
                      spec.zeros.cols == scales.cols),
                 Errc::kUnexpected, "quantize: ", spec.bits, "-bit affine codes with zero points [",
                 spec.zeros.rows, ", ", spec.zeros.cols, "] for scales [", scales.rows, ", ", scales.cols,
                 "]");
  for (int64_t r = 0; r < scales.rows; ++r)
    for (int64_t g = 0; g < scales.cols; ++g) {
      const float step = scales(r, g) * tensor_scale;
      SVDLAB_REQUIRE(step > 0 && std::isfinite(step), Errc::kInput, "quantize: scale(", r, ", ", g,
                     ") = ", scales(r, g), " times tensor scale ", tensor_scale, "; must be finite and > 0");
    }
  bool finite = true;
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t c = 0; c < x.cols; ++c) finite &= std::isfinite(x(r, c));
  if (!finite) refuse_non_finite(x, divide_by, spec.shift);
  detail::encode_matrix_cpu(x, divide_by, spec, scales, tensor_scale, codes);
}

}  // namespace svdlab
