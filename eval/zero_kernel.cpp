#include "eval/zero_kernel.h"

#include <limits>

namespace svdlab {

void ZeroKernel::add(const Tensor& quantized) {
  zeros += (quantized == 0).sum().item<int64_t>();
  elements += quantized.numel();
}

void ZeroKernel::merge(const ZeroKernel& other) {
  zeros += other.zeros;
  elements += other.elements;
}

double ZeroKernel::share() const {
  if (elements == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(zeros) / static_cast<double>(elements);
}

}  // namespace svdlab
