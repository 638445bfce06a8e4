#pragma once
#include "lowrank/driver.h"

namespace svdlab {

/// The members' weights on top of each other: [sum of out_i, K].
Tensor stacked_weights(const DriverProblem& problem);

/// Quantizes each member's rows of `stacked` on its own, so that each has its own tensor scale.
std::vector<QuantizedTensor> quantize_members(const DriverProblem& problem, const Tensor& stacked);

/// The decoded members on top of each other.
Tensor dequantize_members(const std::vector<QuantizedTensor>& members);

}  // namespace svdlab
