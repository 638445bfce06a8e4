#pragma once
#include <cstddef>
#include <vector>

namespace svdlab {

/// Which of the ranges serves a timestep: the first that reaches up to it, or the last.
/// @param ranges  at least one, ascending in their field `upper`.
template <class Range>
size_t range_at(const std::vector<Range>& ranges, double timestep) {
  size_t i = 0;
  while (i + 1 < ranges.size() && !(timestep <= ranges[i].upper)) ++i;
  return i;
}

}  // namespace svdlab
