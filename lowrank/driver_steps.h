#pragma once
#include "lowrank/driver.h"

namespace svdlab {

/// The members' weights on top of each other: [sum of out_i, K].
Tensor stacked_weights(const DriverProblem& problem);

/// Quantizes each member's rows of `stacked` on its own, so that each has its own tensor scale.
std::vector<QuantizedTensor> quantize_members(const DriverProblem& problem, const Tensor& stacked);

/// The `up` factor [sum of out_i, rank] that is best for the output, given the decoded low-bit weights
/// `low_bit` and `down`: with the moments A, B, M of InputMoments the least squares of |W x_hat - Q x_q - up
/// z|^2 are
///   up = (W A - Q B) M^-1,
/// so `up` also takes back what rounding the activations does to Q's output along z. Solved as a change of
/// `factors.up` with a little damping; returned in bf16 values.
Tensor refitted_up(const Tensor& weights, const Tensor& low_bit, const LowRankFactors& factors,
                   const InputMoments& moments);

/// The decoded members on top of each other.
Tensor dequantize_members(const std::vector<QuantizedTensor>& members);

}  // namespace svdlab
