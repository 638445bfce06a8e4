#include "experiments/bench/device_quantize.h"

#include <algorithm>

#include "core/base/error.h"

namespace svdlab {
namespace {

constexpr double kSmallestScale = 0x1p-126, kSmallestE4M3Scale = 0x1p-9, kSmallestTensorScale = 0x1p-117;
constexpr double kLargestE2M1 = 6, kLargestE4M3 = 448, kLargestInt4 = 7, kLargestInt8 = 127;

// To the nearest number with `mantissa` stored bits whose least exponent of a normal one is `lowest`, ties to
// even; not beyond `largest`.
Tensor rounded_float(const Tensor& x, int mantissa, int lowest, double largest) {
  const Tensor exponent = std::get<1>(at::frexp(x)).sub(1).clamp_min(lowest);
  // 2^(exponent - mantissa) from its bits: a GPU's pow need not be exact.
  const Tensor step = (exponent + (127 - mantissa)).mul(1 << 23).to(at::kInt).view(at::kFloat);
  return at::round(x / step).mul_(step).clamp_(-largest, largest);
}

Tensor int4_codes(const Tensor& steps) {
  return at::round(steps).clamp_(-8, 7).to(at::kChar).view(at::kByte).bitwise_and(0x0f);
}

Tensor e2m1_codes(const Tensor& steps) {
  const Tensor halves = rounded_float(steps.abs(), 1, 0, kLargestE2M1).mul_(2).to(at::kLong);
  const Tensor code_of = at::tensor({0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 6, 7}, at::kByte).to(steps.device());
  return code_of.take(halves) + at::signbit(steps).to(at::kByte) * 8;
}

Tensor int8_codes(const Tensor& steps) {
  return at::round(steps).clamp_(-128, 127).to(at::kChar).view(at::kByte);
}

bool is(const TensorScheme& s, NumberFormat format, ScaleFormat scale, Grouping grouping) {
  return s.format == format && s.scale == scale && s.grouping == grouping && s.scale_code_bits == 0;
}

// Scales of e4m3 from the largest magnitudes; sets the one above them.
Tensor e4m3_scales(const Tensor& largest, QuantizedTensor& out) {
  if (out.scheme.two_level)
    out.tensor_scale = std::max(
        largest.max().item<float>() / static_cast<float>(kLargestE2M1) / static_cast<float>(kLargestE4M3),
        static_cast<float>(kSmallestTensorScale));
  return rounded_float(largest.div(kLargestE2M1).div_(out.tensor_scale), 3, -6, kLargestE4M3)
      .clamp_min_(kSmallestE4M3Scale);
}

}  // namespace

QuantizedTensor quantize_on_device(const Tensor& w, const TensorScheme& scheme) {
  const bool int4 = is(scheme, NumberFormat::kInt4, ScaleFormat::kBf16, Grouping::kGroup),
             e2m1 = is(scheme, NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, Grouping::kGroup),
             int8 = is(scheme, NumberFormat::kInt8, ScaleFormat::kFp32, Grouping::kRow);
  SVDLAB_REQUIRE(int4 || e2m1 || int8, Errc::kConfig, "no quantization on the device to ",
                 to_string(scheme.format), " with ", to_string(scheme.scale),
                 " scales; it knows int4 with bf16 and e2m1 with e4m3 in groups, int8 with fp32 for a row");
  SVDLAB_REQUIRE(w.dim() == 2 && (int8 || w.size(1) % scheme.group == 0), Errc::kConfig, "group ",
                 scheme.group, " does not divide ", w.sizes());
  const NoGradGuard no_grad;
  const Tensor groups = w.to(at::kFloat).view({w.size(0), -1, int8 ? w.size(1) : scheme.group});
  const Tensor largest = groups.abs().amax(-1);
  QuantizedTensor out{.scheme = scheme};
  if (int4)
    out.scales = largest.div(kLargestInt4).to(at::kBFloat16).to(at::kFloat).clamp_min_(kSmallestScale);
  if (int8) out.scales = largest.div(kLargestInt8).clamp_min_(kSmallestScale);
  if (e2m1) out.scales = e4m3_scales(largest, out);
  const Tensor steps = groups / out.scales.mul(out.tensor_scale).unsqueeze(-1);
  out.codes = (int4 ? int4_codes(steps) : int8 ? int8_codes(steps) : e2m1_codes(steps)).view(w.sizes());
  return out;
}

}  // namespace svdlab
