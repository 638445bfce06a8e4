#pragma once
#include <string>

#include "core/ir/stats.h"
#include "experiments/study/reference.h"

namespace svdlab {

/// Calibration statistics of the reference's model, with gradients where a recipe of the study needs them,
/// from `cache` when they were taken before with the same model, outlier dial and options, else taken now and
/// stored there. A damaged file in the cache is replaced.
StatsMap cached_stats(const StudyConfig& study, const OutlierDial& dial, const Reference& reference,
                      const std::string& model_sha256, const std::string& cache, int threads);

}  // namespace svdlab
