#pragma once
#include <string>

#include "lowrank/stages.h"
#include "quant/group_problem.h"

namespace svdlab {

/// "transform smooth" or another stage of the recipe that cannot do without calibration statistics, or "".
std::string stage_that_needs_stats(const Recipe& recipe, const Stages& stages);

/// What the recipe must know of gradients.
FisherDetail fisher_detail(const Recipe& recipe, const Stages& stages);
/// "low_rank.objective fisher" or another stage that must know it, or "".
std::string stage_that_needs_gradients(const Recipe& recipe, const Stages& stages);
/// The option of `svdlab calibrate` that collects it for a group.
std::string gradients_option(FisherDetail detail, const std::string& group);

/// Refuses what compression cannot do, by name: a group size that does not divide a K range, a rank above the
/// smaller side of a branch's weights (kConfig), NaN or infinite weights or statistics (kInput), statistics
/// or gradients that a stage of the recipe needs and that are not there (kConfig).
void check_problem(const GroupProblem& problem, const Recipe& recipe, const Stages& stages);

}  // namespace svdlab
