#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

/// Where values round. One rule for every execution (16-bit run, dequantized, codes, GPU): each node computes
/// in fp32 and its output is rounded once to the 16-bit type. Exceptions, all kept in fp32: the RoPE table,
/// and the sampler's latents. `1 + scale` of a modulate node is rounded before the multiplication. Weights
/// and biases are used as the checkpoint or the artefact holds them; on a GPU they are bf16, too.
enum class Precision {
  kFp32,  ///< no rounding
  kBf16,  ///< values are bf16
};

/// Rounds to the grid of `precision`, keeping fp32 storage; the identity for tensors already stored in 16
/// bit. Gradients pass straight through.
Tensor round_to(const Tensor& x, Precision precision);

}  // namespace svdlab
