#pragma once
#include <cstdint>

namespace svdlab::bench {

// Random data of realistic distribution, made on the device: numbers of a counter, so that two runs have the
// same. All wait.

enum class DataKind { kBf16, kE4M3, kInt8, kFp32 };

/// Standard normal numbers times `deviation`; column c of `cols` times 20 for one c in 97 where `outliers`.
void fill_normal(void* out, DataKind kind, int64_t rows, int64_t cols, float deviation, bool outliers,
                 uint32_t seed);

/// 4-bit codes: a normal number of deviation 2.5, rounded and cut at 7, as sign and magnitude or two's
/// complement; both layouts of fragments and plain nibbles are runs of such codes.
void fill_codes(void* out, int64_t bytes, bool sign_and_magnitude, uint32_t seed);

/// bf16 scales between 2^-7 and 2^-6.
void fill_scales(void* out, int64_t count, uint32_t seed);

/// fp32, all the same.
void fill_constant(void* out, int64_t count, float value);

}  // namespace svdlab::bench
