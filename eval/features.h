#pragma once
#include <string>
#include <utility>

#include "core/ir/tensor.h"

namespace svdlab {

/// Two sets of features, [n, D] and [m, D], as contiguous double on the CPU. Throws kInput on other shapes
/// and on fewer than `least` rows; `what` names the metric in the message.
std::pair<Tensor, Tensor> feature_pair(const Tensor& a, const Tensor& b, int64_t least,
                                       const std::string& what);

/// Throws kInput naming the first row that holds a value that is not finite.
void require_finite(const Tensor& features, const std::string& what);

}  // namespace svdlab
