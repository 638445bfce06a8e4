#pragma once
#include <cmath>

namespace svdlab {

/// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), in fp64, rounded once.
inline float gelu_tanh(float x) {
  const double v = x;
  const double inner = 0.7978845608028653558798921198687637369517 * (v + 0.044715 * v * v * v);
  return static_cast<float>(0.5 * v * (1.0 + std::tanh(inner)));
}

}  // namespace svdlab
