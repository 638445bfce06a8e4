#include "eval/sqnr.h"

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "eval/pair_sums.h"

namespace svdlab {

void SqnrAccumulator::add(const Tensor& reference, const Tensor& candidate) {
  const PairSums sums = pair_sums(reference, candidate);
  signal += sums.reference;
  noise += sums.difference;
  elements += reference.numel();
}

void SqnrAccumulator::merge(const SqnrAccumulator& other) {
  signal += other.signal;
  noise += other.noise;
  elements += other.elements;
}

double SqnrAccumulator::db() const {
  SVDLAB_REQUIRE(elements > 0, Errc::kInput, "SQNR of nothing: no tensor was added");
  if (noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(signal / noise);
}

double sqnr_db(const Tensor& reference, const Tensor& candidate) {
  SqnrAccumulator sum;
  sum.add(reference, candidate);
  return sum.db();
}

}  // namespace svdlab
