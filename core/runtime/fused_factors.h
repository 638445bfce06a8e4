#pragma once
#include <vector>

#include "core/ir/compressed.h"

namespace svdlab {

// What one product of several compressed linears, their weights under each other, needs beside the weights.

/// Low-rank factors of all members: sum over members is up down^T of each.
struct StackedFactors {
  Tensor down;  ///< fp32 [rank, K]: each different factor once, then zeros up to `rank`
  Tensor up;    ///< fp32 [rows of all members, rank]: a member's factor in the columns of its down
};
/// @param rank  see fused_rank; 0 gives empty factors.
StackedFactors stacked_factors(const std::vector<const CompressedLinear*>& members, int64_t rank);

/// fp32 [rows of all members] on `device`: biases, less what the shift behind GELU adds to every row of codes
/// times weights; undefined when all of it is 0.
Tensor fused_bias(const std::vector<const CompressedLinear*>& members, at::Device device);

/// fp32: each weight's tensor scale for each of its rows.
Tensor tensor_scales(const std::vector<const QuantizedTensor*>& weights);

}  // namespace svdlab
