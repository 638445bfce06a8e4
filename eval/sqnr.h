#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

/// Signal-to-quantization-noise ratio 20 log10(||x|| / ||x - y||) in dB: a ratio of norms over everything
/// that was added, not a mean of ratios (torchao `compute_error`). +inf when equal, -inf when only x is zero,
/// NaN when either side holds a NaN.
struct SqnrAccumulator {
  double signal = 0;  ///< sum of x^2
  double noise = 0;   ///< sum of (x - y)^2
  int64_t elements = 0;

  /// Throws kInput on empty tensors and on unequal shapes.
  void add(const Tensor& reference, const Tensor& candidate);
  void merge(const SqnrAccumulator& other);
  /// Throws kInput when nothing was added.
  double db() const;
};

double sqnr_db(const Tensor& reference, const Tensor& candidate);

}  // namespace svdlab
