#pragma once
#include <vector>

namespace svdlab {

/// The q-quantile (0 to 1) of values in ascending order, interpolated linearly; there must be at least one.
double quantile(const std::vector<double>& sorted, double q);

}  // namespace svdlab
