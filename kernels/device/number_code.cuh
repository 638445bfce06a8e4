#pragma once
#include "core/base/error.h"
#include "core/formats/fp4_e2m1.h"
#include "core/formats/int4.h"
#include "core/formats/int8.h"
#include "core/formats/nf4.h"
#include "core/formats/uint4.h"
#include "kernels/number_format.h"

namespace svdlab::device {

// core/formats as one function of the format, for kernels that are compiled once for each.

template <NumberFormat kFormat>
__device__ __forceinline__ uint8_t encode_number(float x) {
  if constexpr (kFormat == NumberFormat::kInt4) return int4_encode(x);
  if constexpr (kFormat == NumberFormat::kUint4) return uint4_encode(x);
  if constexpr (kFormat == NumberFormat::kInt8) return int8_encode(x);
  if constexpr (kFormat == NumberFormat::kFp4E2M1) return fp4_e2m1_encode(x);
  if constexpr (kFormat == NumberFormat::kNf4) {
    constexpr auto kMidpoints = svdlab::detail::kNf4Midpoints;
    uint32_t passed = 0;
#pragma unroll
    for (int i = 0; i < 15; ++i) passed += x > kMidpoints[i];
    return static_cast<uint8_t>(passed);
  }
}

template <NumberFormat kFormat>
__device__ __forceinline__ float decode_number(uint8_t code) {
  if constexpr (kFormat == NumberFormat::kInt4) return int4_decode(code);
  if constexpr (kFormat == NumberFormat::kUint4) return uint4_decode(code);
  if constexpr (kFormat == NumberFormat::kInt8) return int8_decode(code);
  if constexpr (kFormat == NumberFormat::kFp4E2M1) {
    // From code 2 on exponent and mantissa are those of a float with another bias.
    const uint32_t m = code & 7u;
    const float magnitude = m < 2 ? 0.5f * static_cast<float>(m) : std::bit_cast<float>((m + 252u) << 22);
    return code & 8u ? -magnitude : magnitude;
  }
  if constexpr (kFormat == NumberFormat::kNf4) {
    constexpr auto kValues = kNf4Values;
    float value = kValues[0];
#pragma unroll
    for (int i = 1; i < 16; ++i) value = (code & 0xf) == i ? kValues[i] : value;
    return value;
  }
}

/// Calls use.operator()<format>() for the format. kConfig for those whose values are data.
template <class Use>
void with_number_format(NumberFormat format, const Use& use) {
  switch (format) {
    case NumberFormat::kInt4:
      return use.template operator()<NumberFormat::kInt4>();
    case NumberFormat::kUint4:
      return use.template operator()<NumberFormat::kUint4>();
    case NumberFormat::kInt8:
      return use.template operator()<NumberFormat::kInt8>();
    case NumberFormat::kNf4:
      return use.template operator()<NumberFormat::kNf4>();
    case NumberFormat::kFp4E2M1:
      return use.template operator()<NumberFormat::kFp4E2M1>();
    case NumberFormat::kAffine:
    case NumberFormat::kCodebook:
      break;
  }
  throw Error(Errc::kConfig, "affine and codebook codes are quantized on a CPU only");
}

}  // namespace svdlab::device
