#pragma once
#include "quant/weight_quantizer.h"

namespace svdlab {

/// Which scales a search tries, and what it counts as error.
struct ScaleSearchOptions {
  /// What a rounding error D of one group of columns costs: |D|^2, with each column weighted by its channel's
  /// mean square input, or D G D^T with the group's own block of the Gram matrix, which is the output error
  /// if no other group had any.
  enum class Weighting { kNone, kDiagonal, kBlock };

  int64_t grid = 12;        ///< bf16 and fp32 scales: ratios 1, 1 - shrink / grid, ..., 1 - shrink
  double shrink = 0.4;      ///< of the scale that reaches the largest magnitude
  int64_t steps = 3;        ///< e4m3 and e8m0 scales: so many neighbouring values below and one above
  int64_t tensor_grid = 4;  ///< two-level schemes: tensor scales T 2^(i / grid), i = 0 .. grid - 1
  Weighting weighting = Weighting::kBlock;
};

/// Reads the options above from a stage's options; kConfig for what is out of range.
ScaleSearchOptions read_scale_search(Fields& options);

/// Rounds to nearest under the scales that make each group's own error smallest; the scales of plain
/// rounding, found from the largest magnitudes, are among the candidates.
/// Source: clipping by grid search as in DeepCompressor's calib_range and AWQ; e4m3 neighbours as in
/// "scale_sweep" (svdquant.md 1.6).
/// @param w  [rows, K] fp32, finite, else kInput.  @param context  Gram matrix unless weighting is kNone.
QuantizedTensor search_scales(const Tensor& w, const TensorScheme& scheme, const WeightContext& context,
                              const ScaleSearchOptions& options);

}  // namespace svdlab
