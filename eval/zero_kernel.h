#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

/// The quantization kernel: elements that quantization turns into 0, whatever they were (CrossQuant, arXiv
/// 2410.07505, which finds accuracy lost where their share is above a few percent).
struct ZeroKernel {
  int64_t zeros = 0, elements = 0;

  /// @param quantized  decoded values of any shape and float type. -0 is 0; NaN is not.
  void add(const Tensor& quantized);
  void merge(const ZeroKernel& other);
  /// In [0, 1]; NaN when nothing was added.
  double share() const;
};

}  // namespace svdlab
