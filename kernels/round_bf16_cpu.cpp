#include "core/formats/bf16.h"
#include "kernels/round_bf16.h"
#include "kernels/wide.h"

namespace svdlab {

SVDLAB_WIDE void detail::round_bf16_cpu(const float* x, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = bf16_round(x[i]);
}

}  // namespace svdlab
