#include "quant/affine_range.h"

#include "core/base/error.h"

namespace svdlab {

AffineRange affine_range(const Tensor& low, const Tensor& high, int bits, ScaleFormat format) {
  SVDLAB_REQUIRE(format == ScaleFormat::kFp32 || format == ScaleFormat::kBf16, Errc::kConfig,
                 "affine codes need fp32 or bf16 scales, the scheme has ", to_string(format),
                 "; set scale: bf16");
  const double largest = static_cast<double>((1 << bits) - 1);
  const Tensor bottom = low.to(at::kDouble).clamp_max(0);
  Tensor scale = ((high.to(at::kDouble).clamp_min(0) - bottom) / largest).to(at::kFloat);
  if (format == ScaleFormat::kBf16) scale = scale.to(at::kBFloat16).to(at::kFloat);
  scale = scale.clamp_min(0x1p-126);
  return {scale, (-bottom / scale).round().clamp(0, largest).to(at::kFloat)};
}

}  // namespace svdlab
