#pragma once
#include <string>
#include <vector>

#include "core/ir/compressed.h"
#include "lowrank/recipe.h"

namespace svdlab {

/// "transform hadamard" or another stage of the rule that has plain loops for the CPU only, or "".
std::string stage_without_gpu(const PlanRule& rule);

/// True: the recipe's transform is a division of channels, or none; Gram matrices need no copy.
bool only_divides(const Recipe& recipe);

/// Moves every tensor to the CPU; those that linears share stay shared.
void move_to_cpu(std::vector<CompressedLinear>& linears);

}  // namespace svdlab
