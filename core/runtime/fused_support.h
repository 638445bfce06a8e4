#pragma once
#include <string>
#include <vector>

#include "core/ir/compressed.h"
#include "kernels/main_loop.h"
#include "kernels/quantize_fuse_down.h"

namespace svdlab {

// Which compressed linears the fused kernels (kernels/) serve. Every refusal is one line that names the thing
// and its values.

/// True: weights alone are quantized, see WeightOnlyLinear; else FusedLinear's.
bool is_weight_only(const CompressedLinear& linear);

/// Why no fused kernel serves `linear` on a device of that architecture; empty: one does.
std::string why_not_fused(const CompressedLinear& linear, int architecture);

/// Why two linears that are served and have the same input cannot share its codes; empty: they can.
std::string why_not_shared(const CompressedLinear& a, const CompressedLinear& b);

/// What the product of members under each other (one input, one weight scheme) asks of a main loop.
LoopProblem fused_problem(const std::vector<const CompressedLinear*>& members, EpilogueKind epilogue,
                          int64_t head_dim = 0);

/// Rows of the low-rank factors of one product, padded to what kernels take: different factors add up, shared
/// ones count once.
int64_t fused_rank(const std::vector<const CompressedLinear*>& members);

/// True when both are undefined, or equal in every element.
bool equal_tensors(const Tensor& a, const Tensor& b);

/// How the columns of one segment are quantized.
QuantizeSpec fused_spec(const ActivationScheme& scheme, const Segment& segment, int64_t columns);

}  // namespace svdlab
