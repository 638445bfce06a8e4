#include "eval/relative_error.h"

#include <cmath>

#include "eval/pair_sums.h"

namespace svdlab {

double relative_error(const Tensor& reference, const Tensor& candidate) {
  const PairSums sums = pair_sums(reference, candidate);
  return sums.difference == 0 ? 0.0 : std::sqrt(sums.difference / sums.reference);
}

}  // namespace svdlab
