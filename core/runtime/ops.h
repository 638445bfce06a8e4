#pragma once
#include <vector>

#include "core/ir/graph.h"
#include "core/runtime/precision.h"

namespace svdlab {

/// Evaluates every op but kInput and kLinear on `inputs` in fp32 arithmetic; the caller rounds the result
/// (see precision.h). Inputs stored in 16 bit (GPU) use torch's fused ops, which compute in fp32 and round
/// once.
/// @param parameter  rms_norm's weight, else undefined.
Tensor run_op(const Node& node, const std::vector<Tensor>& inputs, const Tensor& parameter,
              Precision precision);

}  // namespace svdlab
