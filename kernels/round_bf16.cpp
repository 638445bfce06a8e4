#include "kernels/round_bf16.h"

namespace svdlab {

void round_bf16(const float* x, int64_t count, float* out) { detail::round_bf16_cpu(x, count, out); }

}  // namespace svdlab
