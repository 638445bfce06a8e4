#include "quant/coded_scales.h"

#include <algorithm>
#include <cmath>

#include "core/formats/bf16.h"

namespace svdlab {

Tensor coded(const Tensor& values, const ScaleCoding& coding) {
  Tensor out = values.clone(at::MemoryFormat::Contiguous);
  float* v = out.data_ptr<float>();
  const float codes = static_cast<float>((1 << coding.bits) - 1);
  for (int64_t begin = 0; begin < out.numel(); begin += coding.group) {
    const int64_t end = std::min(begin + coding.group, out.numel());
    const auto [least, most] = std::minmax_element(v + begin, v + end);
    const float lowest = bf16_round(*least), step = bf16_round((*most - lowest) / codes);
    for (int64_t i = begin; i < end; ++i)
      v[i] =
          step > 0 ? lowest + step * std::clamp(std::nearbyint((v[i] - lowest) / step), 0.0f, codes) : lowest;
  }
  return out;
}

}  // namespace svdlab
