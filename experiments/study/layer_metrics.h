#pragma once
#include <vector>

#include "core/ir/compressed.h"
#include "eval/pair_sums.h"
#include "experiments/study/reference.h"

namespace svdlab {

/// How far the outputs of one compressed linear are from those of the 16-bit linear on the 16-bit run's own
/// inputs, by sampling step. Both outputs are rounded to the 16-bit type, as the next layer sees them.
struct LayerError {
  std::string linear;
  std::vector<PairSums> steps;  ///< one per sampling step, summed over items in their order
  PairSums total() const;
};

/// Replays the stored trajectories of the first `items` items (every step, conditional half) through the
/// 16-bit model and evaluates each compressed linear on what it would have seen. In graph order of the
/// linears.
std::vector<LayerError> layer_errors(const Reference& reference, const CompressedModel& compressed,
                                     int64_t items, const Schedule& schedule);

/// sqrt(difference / reference), SQNR in dB and cosine of sums.
double relative_error_of(const PairSums& sums);
double sqnr_db_of(const PairSums& sums);
double cosine_of(const PairSums& sums);
void add(PairSums& sums, const PairSums& more);

}  // namespace svdlab
