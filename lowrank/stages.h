#pragma once
#include <memory>

#include "lowrank/driver.h"
#include "lowrank/objective.h"
#include "lowrank/recipe.h"
#include "quant/activation_quantizer.h"
#include "quant/extra_branch.h"
#include "quant/transform.h"

namespace svdlab {

/// A recipe's stages, built.
struct Stages {
  std::unique_ptr<Transform> transform;
  std::unique_ptr<Driver> driver;
  std::unique_ptr<LowRankSolver> solver;
  std::unique_ptr<LowRankObjective> objective;
  std::unique_ptr<WeightQuantizer> weights;
  std::unique_ptr<ActivationQuantizer> activations;
  std::unique_ptr<ExtraBranch> branch;
};

/// Throws kConfig with the place for an unknown stage or option, or stages that contradict each other.
/// @param path  of the recipe in the configuration, for messages.
Stages make_stages(const Recipe& recipe, const std::string& path);

}  // namespace svdlab
