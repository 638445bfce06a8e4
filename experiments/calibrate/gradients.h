#pragma once
#include <set>
#include <string>

#include "core/base/rng.h"
#include "core/ir/stats.h"
#include "core/runtime/executor.h"

namespace svdlab {

/// Adds one sample to the gradient statistics of every linear, by one backward pass of the 16-bit model.
///
/// The loss is that of distillation: the mean squared difference of the model's output v from the 16-bit
/// model's own. At the 16-bit weights its gradient is zero and its curvature is J^T J / numel(v), J = dv/dW;
/// this is also the Fisher information of the weights when v is the mean of a normal distribution of unit
/// variance. Its diagonal is E[g^2] of g = J^T z / sqrt(numel(v)) over random signs z, so that a change D of
/// one linear's weight alone moves v by about sum of E[g^2] D^2 in the mean square, were the weights'
/// effects uncorrelated. No data set is needed, and what is weighed is what quantization does to the output.
/// FWSVD, LQ-LoRA and GWQ square gradients of a task's loss on labelled data instead.
///
/// Gradients of weights are formed one linear at a time when the backward pass gets there, (gradient of its
/// output)^T times its input, and dropped; beside the activations of one pass one gradient is held.
/// Single-threaded where the caller is.
/// @param inputs  of Executor::run.  @param probe  the stream that z is drawn from.
/// @param full  groups whose linears keep WeightFisher::full.
void add_gradients(const Executor& executor, const Graph& graph, const NamedTensors& inputs, const Rng& probe,
                   const std::set<std::string>& full, StatsMap& into);

}  // namespace svdlab
