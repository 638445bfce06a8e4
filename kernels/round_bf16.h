#pragma once
#include <cstdint>

namespace svdlab {

/// out[i] = the bf16 value nearest to x[i], ties to even, as fp32; NaN stays NaN. `out` may be `x`.
void round_bf16(const float* x, int64_t count, float* out);

namespace detail {
void round_bf16_cpu(const float* x, int64_t count, float* out);
}  // namespace detail

}  // namespace svdlab
