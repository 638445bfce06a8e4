#pragma once
#include <span>

#include "quant/group_problem.h"

namespace svdlab {

/// J = ||X||_F / sqrt(tokens * channels) over the calibration inputs X of all groups, divided by `smooth`
/// ([K], or undefined): LRQ-DiT's measure of a salient layer. Its paper's threshold is 1.
double salience(std::span<const GroupProblem> problems, const Tensor& smooth);

}  // namespace svdlab
