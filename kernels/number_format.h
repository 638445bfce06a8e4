#pragma once

namespace svdlab {

/// What a stored code stands for; values, ties and saturation are in core/formats/.
enum class NumberFormat {
  kInt4,
  kUint4,
  kInt8,
  kNf4,
  kFp4E2M1,
  kAffine,    ///< integers 0 .. 2^bits - 1 less the zero point of their group
  kCodebook,  ///< places in a table of at most 2^bits ascending values in [-1, 1]
};
/// What the scale of a group of codes is rounded to.
enum class ScaleFormat { kFp32, kBf16, kE4M3, kE8M0 };

}  // namespace svdlab
