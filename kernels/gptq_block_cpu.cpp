#include <cmath>

#include "kernels/dequantize_matrix.h"
#include "kernels/gptq_block.h"
#include "kernels/quantize_matrix.h"

namespace svdlab::detail {

void gptq_block_cpu(const GptqBlock& b) {
  for (int64_t n = 0; n < b.codes.rows; ++n)
    for (int64_t j = b.begin; j < b.end; ++j) {
      const float x = static_cast<float>(b.rest(j, n));
      const float* scale = b.scales.row(b.scales.rows == 1 ? 0 : n) + b.order[j] / b.group;
      uint8_t& code = b.codes(n, b.order[j]);
      float value = 0;
      encode_matrix({&x, 1, 1}, nullptr, {.format = b.format, .group = 1}, {scale, 1, 1}, b.tensor_scale,
                    {&code, 1, 1});
      dequantize_matrix({b.format, 1, {&code, 1, 1}, {scale, 1, 1}, b.tensor_scale}, nullptr, {&value, 1, 1});
      const double e = (b.rest(j, n) - value) / b.upper(j, j);
      b.errors(j - b.begin, n) = e;
      for (int64_t l = j + 1; l < b.end; ++l) b.rest(l, n) = std::fma(-b.upper(j, l), e, b.rest(l, n));
    }
}

}  // namespace svdlab::detail
