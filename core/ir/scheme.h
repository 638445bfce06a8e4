#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/number_format.h"

namespace svdlab {

/// One scale for the whole tensor, for each row (weights: output channel; activations: token), or for each
/// run of `size` consecutive columns of a row.
enum class Grouping { kTensor, kRow, kGroup };

/// How one matrix is stored. Only kAffine has zero points; uint4 is used with a fixed shift (see
/// ActivationScheme).
struct TensorScheme {
  NumberFormat format = NumberFormat::kInt4;
  Grouping grouping = Grouping::kGroup;
  int64_t group = 64;  ///< used with kGroup; must divide the columns (of every segment)
  ScaleFormat scale = ScaleFormat::kBf16;
  bool two_level = false;  ///< nvfp4 weights: an fp32 scale for the tensor above the e4m3 micro scales
  int bits = 4;            ///< of a kAffine or kCodebook code, 1 .. 8; other formats have their own
  /// Scales (and zero points) that are themselves quantized: bits of each, and how many share two bf16
  /// numbers. 0: they are not. What is kept in memory and files are the numbers they decode to.
  int scale_code_bits = 0;
  int64_t scale_group = 0;

  int64_t groups_of(int64_t columns) const { return grouping == Grouping::kGroup ? columns / group : 1; }
  double code_bits() const;   ///< 4 or 8, or `bits`
  double scale_bits() const;  ///< of one scale with its zero point and its share of what it is coded by
  bool operator==(const TensorScheme&) const = default;
};

/// Where the scales of a linear's quantized input come from.
enum class Range {
  kDynamic,  ///< the largest magnitudes of the tokens at hand
  kStatic,   ///< calibration: LowBitBranch::ranges
  kCross,    ///< the token's largest magnitude over all channels of the untransformed input, to a power
};

/// Quantization of a linear's input. Behind GELU, `shift_after_gelu` adds 0.171875 (GELU's minimum is
/// about -0.17) and stores unsigned codes 0..15; only the low-bit branch sees the shift (SVDQuant, Nunchaku
/// kernels).
struct ActivationScheme {
  TensorScheme tensor;
  bool shift_after_gelu = false;
  Range range = Range::kDynamic;
  double exponent = 1;  ///< kCross only
  bool operator==(const ActivationScheme&) const = default;
};

inline constexpr float kGeluShift = 0.171875f;

struct Scheme {
  std::string name;
  std::optional<TensorScheme> weights;          ///< absent: the layer stays 16 bit
  std::optional<ActivationScheme> activations;  ///< absent: 16-bit activations
  bool operator==(const Scheme&) const = default;
};

std::string to_string(NumberFormat format);
std::string to_string(ScaleFormat format);
std::string to_string(Range range);

/// The built-in schemes: bf16, w8a8, w4a16-int4-g64, w4a16-nf4-g64, w4a8-int4-g64, int4 (W4A4 g64 shifted
/// behind GELU), nvfp4 (W4A4 g16), mxfp4 (W4A4 g32).
const std::vector<Scheme>& built_in_schemes();
/// Throws kConfig with the nearest name.
const Scheme& scheme_named(const std::string& name);

}  // namespace svdlab
