#include "core/ir/scheme.h"

#include "core/base/error.h"
#include "core/base/names.h"

namespace svdlab {
namespace {

constexpr TensorScheme kInt4Group{NumberFormat::kInt4, Grouping::kGroup, 64, ScaleFormat::kBf16};
constexpr TensorScheme kNf4Group{NumberFormat::kNf4, Grouping::kGroup, 64, ScaleFormat::kBf16};
constexpr TensorScheme kInt8Row{
    .format = NumberFormat::kInt8, .grouping = Grouping::kRow, .scale = ScaleFormat::kFp32};
constexpr TensorScheme kNvfp4{NumberFormat::kFp4E2M1, Grouping::kGroup, 16, ScaleFormat::kE4M3};
constexpr TensorScheme kNvfp4TwoLevel{NumberFormat::kFp4E2M1, Grouping::kGroup, 16, ScaleFormat::kE4M3, true};
constexpr TensorScheme kMxfp4{NumberFormat::kFp4E2M1, Grouping::kGroup, 32, ScaleFormat::kE8M0};

double bits_of(ScaleFormat scale) {
  switch (scale) {
    case ScaleFormat::kFp32:
      return 32;
    case ScaleFormat::kBf16:
      return 16;
    case ScaleFormat::kE4M3:
      return 8;
    case ScaleFormat::kE8M0:
      return 8;
  }
  throw Error(Errc::kUnexpected, "unknown scale format");
}

}  // namespace

double TensorScheme::code_bits() const {
  if (format == NumberFormat::kAffine || format == NumberFormat::kCodebook) return bits;
  return format == NumberFormat::kInt8 ? 8 : 4;
}

double TensorScheme::scale_bits() const {
  const int numbers = format == NumberFormat::kAffine ? 2 : 1;  // a zero point beside each scale
  if (scale_code_bits > 0) return numbers * (scale_code_bits + 32.0 / static_cast<double>(scale_group));
  const double zero = numbers == 2 ? bits : 0;
  return zero + bits_of(scale);
}

std::string to_string(NumberFormat format) {
  switch (format) {
    case NumberFormat::kInt4:
      return "int4";
    case NumberFormat::kUint4:
      return "uint4";
    case NumberFormat::kInt8:
      return "int8";
    case NumberFormat::kNf4:
      return "nf4";
    case NumberFormat::kFp4E2M1:
      return "e2m1";
    case NumberFormat::kAffine:
      return "affine";
    case NumberFormat::kCodebook:
      return "codebook";
  }
  throw Error(Errc::kUnexpected, "unknown number format");
}

std::string to_string(ScaleFormat format) {
  switch (format) {
    case ScaleFormat::kFp32:
      return "fp32";
    case ScaleFormat::kBf16:
      return "bf16";
    case ScaleFormat::kE4M3:
      return "e4m3";
    case ScaleFormat::kE8M0:
      return "e8m0";
  }
  throw Error(Errc::kUnexpected, "unknown scale format");
}

std::string to_string(Range range) {
  return range == Range::kDynamic ? "dynamic" : range == Range::kStatic ? "static" : "cross";
}

const std::vector<Scheme>& built_in_schemes() {
  static const std::vector<Scheme> schemes = {
      {"bf16", std::nullopt, std::nullopt},
      {"w8a8", kInt8Row, ActivationScheme{kInt8Row}},
      {"w4a16-int4-g64", kInt4Group, std::nullopt},
      {"w4a16-nf4-g64", kNf4Group, std::nullopt},
      {"w4a8-int4-g64", kInt4Group, ActivationScheme{kInt8Row}},
      {"int4", kInt4Group, ActivationScheme{kInt4Group, true}},
      {"nvfp4", kNvfp4TwoLevel, ActivationScheme{kNvfp4}},
      {"mxfp4", kMxfp4, ActivationScheme{kMxfp4}},
  };
  return schemes;
}

const Scheme& scheme_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Scheme& scheme : built_in_schemes()) {
    if (scheme.name == name) return scheme;
    names.push_back(scheme.name);
  }
  throw Error(Errc::kConfig,
              concat("unknown scheme '", name, "'; did you mean '", nearest(name, names), "'?"));
}

}  // namespace svdlab
