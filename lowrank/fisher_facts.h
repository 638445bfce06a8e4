#pragma once
#include <string>
#include <vector>

#include "lowrank/objective.h"
#include "quant/group_problem.h"

namespace svdlab {

/// The first member of the problem without gradient statistics of that detail, or "".
std::string linear_without_fisher(const GroupProblem& problem, FisherDetail detail);

/// Fills in `fisher_rows` and `fisher_cols` of a branch's stacked weights W diag(s), from the means that
/// calibration kept of each member, F(i, j) = E[g^2]:
///   rows(i) = mean_j F(i, j), members on top of each other; they share one loss, hence one scale;
///   cols(j) = mean_i F(i, j) / s(j)^2, i over all rows, since the gradient of W diag(s) is g / s.
/// Rows are not divided: that the means stand for the matrix supposes F(i, j) ~ rows(i) cols(j), and then
/// dividing columns changes all rows by one factor, which moves no minimum. Where the transform mixes
/// channels, their gradients are taken to be uncorrelated.
/// @param branch  indices into problem.weights.  @param online  the transform; s its smoothing vector.
void add_fisher(const GroupProblem& problem, const std::vector<int>& branch, const OnlineTransform& online,
                ObjectiveFacts& facts);

}  // namespace svdlab
