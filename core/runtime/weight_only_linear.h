#pragma once
#include "core/runtime/fused_linear.h"

namespace svdlab {

/// A compressed linear whose weights alone are quantized (adaLN projections, weight-only baselines), packed
/// once for a device. As FusedLinear in all else.
class WeightOnlyLinear {
 public:
  /// @param linear  served (why_not_fused), is_weight_only.
  WeightOnlyLinear(const CompressedLinear& linear, const FusedOptions& options);

  Tensor run(const Tensor& x) const;  ///< bf16 [M, K] -> bf16 [M, N]
  int64_t bytes() const;              ///< held on the device

 private:
  PackedWeight weight_;
  Tensor divide_by_, bias_;  // fp32, or undefined
  Tensor down_;              // fp32 [rank, K], divided by the smoothing vector
  Tensor up_;                // bf16 [N, rank]
};

}  // namespace svdlab
