#pragma once
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/ir/stats.h"
#include "core/models/conditioning.h"
#include "core/models/model.h"
#include "experiments/sampling/sampler.h"

namespace svdlab {

/// Which steps of an item's trajectory are taken.
enum class CalibrationSteps {
  kRandom,   ///< its own random choice
  kUniform,  ///< evenly spaced; over all items every step as often as every other, give or take one
};           ///< (Q-Diffusion, arXiv 2302.04304)
/// Throws kConfig for anything but random and uniform.
CalibrationSteps calibration_steps_named(const std::string& name, const std::string& where);

/// Which inputs the statistics are taken from: `pairs` (item, step) pairs on the 16-bit model's own
/// trajectories, `pairs_per_item` of them on each of pairs / pairs_per_item items.
struct CalibrationOptions {
  int64_t pairs = 128;
  int64_t pairs_per_item = 4;
  CalibrationSteps timesteps = CalibrationSteps::kRandom;
  int64_t tokens = 4096;  ///< capacity of each group's reservoir
  /// > 0: statistics also of so many ranges of equally many sampling steps, see ActivationStats::ranges.
  int64_t time_ranges = 0;
  uint64_t seed = 0;
  int64_t steps = 10;
  double guidance = 1.0;
  bool gradients = false;                ///< of the weights, too; half as much work again. See gradients.h
  std::set<std::string> full_gradients;  ///< groups whose linears keep WeightFisher::full
  int threads = 1;                       ///< scheduling only
};

/// Item `item` of `items` takes these `count` of the steps 0 .. steps - 1, ascending. Uniform: pair number
/// n = j * items + item of all takes the step that holds (n + 1/2) / (items * count) of the trajectory.
/// Throws kConfig unless 0 < count <= steps.
std::vector<int64_t> uniform_steps(int64_t item, int64_t items, int64_t steps, int64_t count);

/// Upper ends of `ranges` ranges of timesteps, ascending, between the noise levels of a trajectory: each
/// holds equally many of its steps, give or take one. Throws kConfig for more ranges than steps.
/// @param sigmas  steps + 1 noise levels, descending.
std::vector<double> time_range_uppers(const std::vector<double>& sigmas, int64_t ranges);

/// Upper bound of the bytes calibration holds at once beyond the model and the activations of a run, which
/// for gradients are kept until its backward pass.
int64_t calibration_bytes(const Graph& graph, const CalibrationOptions& options);

/// Runs the 16-bit model and collects ActivationStats for every LayerGroup. Throws kConfig for a name among
/// `full_gradients` that is no group.
StatsMap calibrate(const Model& model, const Conditioning& conditioning, const SamplingFacts& facts,
                   const CalibrationOptions& options,
                   const std::function<void(int64_t done, int64_t total)>& progress = {});

}  // namespace svdlab
