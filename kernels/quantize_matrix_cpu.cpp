#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/error.h"
#include "core/formats/bf16.h"
#include "core/formats/fp4_e2m1.h"
#include "core/formats/fp8_e4m3.h"
#include "core/formats/fp8_e8m0.h"
#include "core/formats/int4.h"
#include "core/formats/int8.h"
#include "core/formats/nf4.h"
#include "core/formats/uint4.h"
#include "kernels/quantize_matrix.h"
#include "kernels/wide.h"

namespace svdlab::detail {
namespace {

constexpr float kSmallestScale = 0x1p-126f;  // smallest normal of fp32 and bf16
constexpr float kSmallestE4M3Scale = 0x1p-9f;
constexpr float kSmallestTensorScale = 0x1p-117f;  // times 2^-9 still normal

// Rows of (x + shift) / divide_by; x itself where that is the same.
class ValueRows {
 public:
  ValueRows(MatrixView<const float> x, const float* divide_by, float shift)
      : x_(x), divide_by_(divide_by), shift_(shift), buffer_(divide_by || shift != 0 ? x.cols : 0) {}

  SVDLAB_WIDE const float* row(int64_t r) {
    const float* x = x_.row(r);
    float* out = buffer_.data();
    if (divide_by_) {
      for (int64_t c = 0; c < x_.cols; ++c) out[c] = (x[c] + shift_) / divide_by_[c];
    } else if (shift_ != 0) {
      for (int64_t c = 0; c < x_.cols; ++c) out[c] = x[c] + shift_;
    } else {
      return x;
    }
    return out;
  }

 private:
  MatrixView<const float> x_;
  const float* divide_by_;
  float shift_;
  std::vector<float> buffer_;
};

// Raises amax[g] to the largest |v|, or for unsigned codes v, of each group; false when a value is not
// finite. Floats of one sign order like their bits, NaN and infinity last, and integer maxima vectorise where
// float ones must not.
SVDLAB_WIDE bool raise_amax(const float* values, int64_t groups, int64_t group, bool is_unsigned,
                            float* amax) {
  int32_t largest = 0;
  for (int64_t g = 0; g < groups; ++g) {
    const float* v = values + g * group;
    int32_t magnitude = 0, positive = 0;
    for (int64_t i = 0; i < group; ++i) {
      const int32_t bits = std::bit_cast<int32_t>(v[i]);
      magnitude = std::max(magnitude, bits & 0x7fffffff);
      positive = std::max(positive, bits);
    }
    largest = std::max(largest, magnitude);
    amax[g] = std::max(amax[g], std::bit_cast<float>(is_unsigned ? positive : magnitude));
  }
  return largest < 0x7f800000;
}

float rounded_scale(float amax, const QuantizeSpec& spec, float tensor_scale) {
  const float largest = largest_code_value(spec.format);
  switch (spec.scale) {
    case ScaleFormat::kFp32:
      return std::clamp(amax / largest, kSmallestScale, largest_scale(largest, ~0u));
    case ScaleFormat::kBf16:
      return std::clamp(bf16_round(amax / largest), kSmallestScale, largest_scale(largest, 0xffff0000u));
    case ScaleFormat::kE4M3:
      return std::max(fp8_e4m3_decode(fp8_e4m3_encode(amax / largest / tensor_scale)), kSmallestE4M3Scale);
    case ScaleFormat::kE8M0: {
      const float power = fp8_e8m0_decode(fp8_e8m0_encode_floor(largest));
      return std::max(fp8_e8m0_decode(fp8_e8m0_encode_floor(amax)) / power, kSmallestScale);
    }
  }
  throw Error(Errc::kUnexpected, "unknown scale format");
}

SVDLAB_WIDE void divide_by_steps(const float* values, const float* scales, float tensor_scale, int64_t groups,
                                 int64_t group, float* out) {
  for (int64_t g = 0; g < groups; ++g) {
    const float step = scales[g] * tensor_scale;
    for (int64_t c = g * group; c < (g + 1) * group; ++c) out[c] = values[c] / step;
  }
}

// A loop of its own over the whole row: short groups would leave most of a vector of bytes empty.
template <auto encode>
SVDLAB_WIDE void encode_row(const float* values, int64_t count, uint8_t* codes) {
  for (int64_t c = 0; c < count; ++c) codes[c] = static_cast<uint8_t>(encode(values[c]));
}

void encode_affine_row(const float* values, const float* zeros, const QuantizeSpec& spec, int64_t cols,
                       uint8_t* codes) {
  const float largest = static_cast<float>((1 << spec.bits) - 1);
  for (int64_t c = 0; c < cols; ++c)
    codes[c] =
        static_cast<uint8_t>(std::clamp(std::nearbyint(values[c] + zeros[c / spec.group]), 0.0f, largest));
}

void encode_codebook_row(const float* values, const QuantizeSpec& spec, int64_t cols, uint8_t* codes) {
  const float *first = spec.codebook, *last = first + spec.levels;
  for (int64_t c = 0; c < cols; ++c) {
    const float* above = std::clamp(std::lower_bound(first, last, values[c]), first + 1, last - 1);
    const bool upper = *above - values[c] < values[c] - above[-1];
    codes[c] = static_cast<uint8_t>(above - first - (upper ? 0 : 1));
  }
}

using RowEncoder = void (*)(const float*, int64_t, uint8_t*);

RowEncoder row_encoder(NumberFormat format) {
  switch (format) {
    case NumberFormat::kInt4:
      return encode_row<int4_encode>;
    case NumberFormat::kUint4:
      return encode_row<uint4_encode>;
    case NumberFormat::kInt8:
      return encode_row<int8_encode>;
    case NumberFormat::kNf4:
      return encode_row<nf4_encode>;
    case NumberFormat::kFp4E2M1:
      return encode_row<fp4_e2m1_encode>;
    case NumberFormat::kAffine:
    case NumberFormat::kCodebook:
      break;
  }
  throw Error(Errc::kUnexpected, "unknown number format");
}

}  // namespace

float tensor_scale_of(float amax, NumberFormat format) {
  return std::max(amax / largest_code_value(format) / kFp8E4M3Max, kSmallestTensorScale);
}

float largest_scale(float largest, uint32_t mask) {
  const uint32_t bits = std::bit_cast<uint32_t>(std::numeric_limits<float>::max() / largest);
  return std::bit_cast<float>((bits - 1) & mask);  // the quotient may have been rounded up
}

bool find_scales_cpu(MatrixView<const float> x, const float* divide_by, const QuantizeSpec& spec,
                     MatrixView<float> scales, float* tensor_scale) {
  const bool is_unsigned = spec.format == NumberFormat::kUint4;
  for (int64_t r = 0; r < scales.rows; ++r) std::fill_n(scales.row(r), scales.cols, 0.0f);
  ValueRows values(x, divide_by, spec.shift);
  for (int64_t r = 0; r < x.rows; ++r) {
    float* amax = scales.row(scales.rows == 1 ? 0 : r);
    if (!raise_amax(values.row(r), scales.cols, spec.group, is_unsigned, amax)) return false;
  }
  float amax_all = 0;
  for (int64_t r = 0; r < scales.rows; ++r)
    for (int64_t g = 0; g < scales.cols; ++g) amax_all = std::max(amax_all, scales(r, g));
  *tensor_scale = spec.two_level ? tensor_scale_of(amax_all, spec.format) : 1.0f;
  for (int64_t r = 0; r < scales.rows; ++r)
    for (int64_t g = 0; g < scales.cols; ++g) scales(r, g) = rounded_scale(scales(r, g), spec, *tensor_scale);
  return true;
}

void encode_matrix_cpu(MatrixView<const float> x, const float* divide_by, const QuantizeSpec& spec,
                       MatrixView<const float> scales, float tensor_scale, MatrixView<uint8_t> codes) {
  const bool affine = spec.format == NumberFormat::kAffine, codebook = spec.format == NumberFormat::kCodebook;
  const RowEncoder encode = affine || codebook ? nullptr : row_encoder(spec.format);
  ValueRows values(x, divide_by, spec.shift);
  std::vector<float> quotients(x.cols);
  for (int64_t r = 0; r < x.rows; ++r) {
    divide_by_steps(values.row(r), scales.row(scales.rows == 1 ? 0 : r), tensor_scale, scales.cols,
                    spec.group, quotients.data());
    if (affine)
      encode_affine_row(quotients.data(), spec.zeros.row(scales.rows == 1 ? 0 : r), spec, x.cols,
                        codes.row(r));
    else if (codebook)
      encode_codebook_row(quotients.data(), spec, x.cols, codes.row(r));
    else
      encode(quotients.data(), x.cols, codes.row(r));
  }
}

}  // namespace svdlab::detail
