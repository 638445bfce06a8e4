#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/ir/compressed.h"

namespace svdlab {

/// A low-rank adapter (LoRA) of one linear: its weight becomes W + scale up down.
struct LoraDelta {
  Tensor down;       ///< [rank, in_features], any floating type; acts on the input as it is, not smoothed
  Tensor up;         ///< [out_features, rank]
  double scale = 1;  ///< strength times alpha / rank
};

/// By linear; several adapters add up.
using LoraDeltas = std::map<std::string, std::vector<LoraDelta>>;

/// fp32 [out_features, in_features]: weight (any floating type) plus the adapters' products.
Tensor merged_weight(const Tensor& weight, std::span<const LoraDelta> deltas);

/// Appends adapters to the low-rank branches of linears that were compressed together. A branch sees the
/// transformed input, so the adapter's down factor is transformed as weights are (multiplied by the smoothing
/// vector), and what a constant of the transform adds is taken out of the bias. Linears that share a down
/// factor go on sharing it: it gets the down factors of all their adapters (equal ones once), and each up
/// factor has zeros where the rank is another's. Factors that are not bf16 stay fp32. Adapters of scale 0
/// leave a linear as it is. Throws kInput when shapes do not fit, kConfig for a linear with columns that the
/// branch does not see.
/// @param deltas  of these linears or others.
void append_lora(std::span<CompressedLinear> linears, const LoraDeltas& deltas);

}  // namespace svdlab
