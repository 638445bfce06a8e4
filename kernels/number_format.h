#pragma once

namespace svdlab {

/// What a stored code stands for; values, ties and saturation are in core/formats/.
enum class NumberFormat { kInt4, kUint4, kInt8, kNf4, kFp4E2M1 };
/// What the scale of a group of codes is rounded to.
enum class ScaleFormat { kFp32, kBf16, kE4M3, kE8M0 };

}  // namespace svdlab
