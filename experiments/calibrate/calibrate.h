#pragma once
#include <functional>
#include "core/ir/stats.h"
#include "core/models/conditioning.h"
#include "core/models/model.h"
#include "experiments/sampling/sampler.h"

namespace svdlab {

/// Which inputs the statistics are taken from: `pairs` seeded (item, step) pairs on the 16-bit model's own
/// trajectories, `pairs_per_item` of them on each of pairs / pairs_per_item items.
struct CalibrationOptions {
  int64_t pairs = 128;
  int64_t pairs_per_item = 4;
  int64_t tokens = 4096;  ///< capacity of each group's reservoir
  uint64_t seed = 0;
  int64_t steps = 10;
  double guidance = 1.0;
  int threads = 1;  ///< scheduling only
};

/// Upper bound of the bytes calibration holds at once beyond the model.
int64_t calibration_bytes(const Graph& graph, const CalibrationOptions& options);

/// Runs the 16-bit model and collects ActivationStats for every LayerGroup.
StatsMap calibrate(const Model& model, const Conditioning& conditioning, const SamplingFacts& facts,
                   const CalibrationOptions& options,
                   const std::function<void(int64_t done, int64_t total)>& progress = {});

}  // namespace svdlab
