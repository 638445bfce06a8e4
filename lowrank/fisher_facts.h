#pragma once
#include <string>
#include <vector>

#include "lowrank/objective.h"
#include "quant/group_problem.h"

namespace svdlab {

/// The first member of the problem without gradient statistics, or "".
std::string linear_without_fisher(const GroupProblem& problem);

/// Fills in `fisher_rows` and `fisher_cols` of a branch's stacked weights W diag(s), from the means that
/// calibration kept of each member, F(i, j) = E[g^2]:
///   rows(i) = mean_j F(i, j), members on top of each other; they share one loss, hence one scale;
///   cols(j) = mean_i F(i, j) / s(j)^2, i over all rows, since the gradient of W diag(s) is g / s.
/// Rows are not divided: that the means stand for the matrix supposes F(i, j) ~ rows(i) cols(j), and then
/// dividing columns changes all rows by one factor, which moves no minimum.
/// @param branch  indices into problem.weights.  @param smooth  s [K], or undefined: 1.
void add_fisher(const GroupProblem& problem, const std::vector<int>& branch, const Tensor& smooth,
                ObjectiveFacts& facts);

}  // namespace svdlab
