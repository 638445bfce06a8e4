#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/base/value.h"
#include "core/ir/scheme.h"
#include "lowrank/scorer.h"

namespace svdlab {

/// A method as data: which stage fills each slot, with its options. Absent slots mean "none".
///   transform: {smooth: {alpha: 0.5, beta: 0.5}}     transform name -> options
///   driver: {svdquant: {iterations: 20}}             or just `driver: lorc`
///   low_rank: {rank: 8, solver: randomized, ...}     solver options beside; `objective: whitened`, or with
///                                                    options `{whitened: {damping: 1e-4}}`, is one more key
///   weights: {gptq: {damping: 0.01}}                 or just `weights: rtn`; `none` leaves the layer in 16
///   bit
///   activations: {static: {percentile: 0.9995}}      absent: dynamic, as the scheme says
///   branch: {columns: {threshold: 6}}                what a branch of its own takes first; absent: nothing
///   segments: joint                                  the parts of a concat are rounded under common scales;
///                                                    default split: each on its own (Q-Diffusion), so that
///                                                    what follows GELU can be shifted
///   timesteps: ranges                                an artefact for each range of timesteps that
///                                                    calibration kept apart, by the whole recipe; default:
///                                                    one for all
///   score: tokens                                    what candidates are scored by, see Scoring; default
///   auto
/// `preset: svdquant` starts from a named method (see method_presets) and the other keys change it.
struct Recipe {
  std::string transform = "none";
  Value transform_options = Value::map();
  std::string driver = "quantize";
  Value driver_options = Value::map();
  int64_t rank = 0;
  std::string solver = "randomized";
  Value solver_options = Value::map();
  std::string objective = "plain";
  Value objective_options = Value::map();
  std::string weights = "rtn";
  Value weight_options = Value::map();
  std::string activations = "dynamic";
  Value activation_options = Value::map();
  std::string branch = "none";
  Value branch_options = Value::map();
  bool joint_segments = false;
  bool by_timestep = false;
  Scoring score = Scoring::kAuto;

  /// `weights: none`: linears under this recipe stay 16 bit whatever the scheme says.
  bool keeps_16_bit() const { return weights == "none"; }
  /// The recipe as the YAML tree that parse_recipe reads back to an equal recipe.
  Value to_value() const;
};

/// Throws kConfig with the place for unknown keys, stages and options (options are checked by building the
/// stage).
Recipe parse_recipe(const Value& value, const std::string& path);

struct MethodPreset {
  std::string name, summary;
  std::string yaml;  ///< the recipe, as it would be written in a config
};
/// bf16, rtn, smooth, svd, lorc, gptq, smooth-gptq, svdquant, svdquant-gptq ...
const std::vector<MethodPreset>& method_presets();

/// One rule of a plan: linears whose name matches get this recipe under this scheme.
struct PlanRule {
  std::string match;  ///< glob over linear names
  Scheme scheme;      ///< scheme.weights absent: stays 16 bit, recipe unused
  Recipe recipe;
  std::string where;
};
using Plan = std::vector<PlanRule>;  ///< first match wins

}  // namespace svdlab
