#include "eval/cosine.h"

#include <algorithm>
#include <cmath>

#include "eval/pair_sums.h"

namespace svdlab {

double cosine(const Tensor& reference, const Tensor& candidate) {
  const PairSums sums = pair_sums(reference, candidate);
  const double c = sums.product / (std::sqrt(sums.reference) * std::sqrt(sums.candidate));
  return std::isnan(c) ? c : std::clamp(c, -1.0, 1.0);  // rounding may leave 1 + 1e-16
}

}  // namespace svdlab
