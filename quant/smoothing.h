#pragma once
#include <span>
#include <vector>

#include "quant/transform.h"

namespace svdlab {

// What the smoothing transforms share.

/// A smoothing vector as it is stored: fp32 holding bf16 values; 1 where `raw` [K] is not positive and finite
/// (a channel that is always zero in input or weight has no range to balance).
Tensor stored_smoothing(const Tensor& raw);

/// Scores all candidates at once and takes the smallest finite error, the first of equals. Throws kInput when
/// none is finite.
/// @param steps  one for each of `candidates`; `error` and `chosen` are filled in.
TransformFit best_smoothing(std::span<const GroupProblem> problems, const TransformScore& score,
                            Through through, const std::vector<OnlineTransform>& candidates,
                            std::vector<SearchStep> steps);

/// True where an unsigned scheme shifts the segment before it quantizes: behind GELU.
bool is_shifted(const GroupProblem& problem, const Segment& segment);

}  // namespace svdlab
