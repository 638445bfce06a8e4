#pragma once
#include "lowrank/stages.h"
#include "quant/group_problem.h"

namespace svdlab {

/// Refuses what compression cannot do, by name: a group size that does not divide a K range, a rank above the
/// smaller side of a branch's weights (kConfig), NaN or infinite weights or statistics (kInput), statistics
/// that a stage of the recipe needs and that are not there (kConfig).
void check_problem(const GroupProblem& problem, const Recipe& recipe, const Stages& stages);

}  // namespace svdlab
