#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/base/value.h"
#include "core/models/outlier_dial.h"
#include "experiments/calibrate/calibrate.h"
#include "lowrank/recipe.h"

namespace svdlab {

/// How many items are sampled in how many steps. With `until_half_width_db` > 0 the study's first cell adds
/// items, `kItemsAdded` at a time and at most to `max_items`, until the 95 % interval of its mean PSNR is
/// that narrow; all other cells have the same items, because comparisons are paired.
struct Protocol {
  int64_t items = 32;
  int64_t steps = 10;
  double until_half_width_db = 0;
  int64_t max_items = 256;
};
inline constexpr int64_t kItemsAdded = 32;

/// One rule of a cell's plan.
struct CellRule {
  PlanRule rule;
  bool subject = false;   ///< it has the cell's own method or scheme, rather than the study's
  bool optional = false;  ///< it may match no linear of the model
};

/// One row of the comparison: a plan for the model's linears, and how hard the model's outliers are turned
/// up.
struct Cell {
  std::string name;  ///< what tables show
  std::string slug;  ///< file names: letters, digits, '-', '_', '.', '+'
  std::string scheme, method;
  OutlierDial outliers;
  std::vector<CellRule> rules;
  std::string backend = "reference";  ///< see backend.h
};

/// A study, resolved: every default filled in, every name looked up.
struct StudyConfig {
  std::string name, description;
  std::string model;  ///< folder
  Protocol protocol;
  std::optional<double> guidance;  ///< absent: what sampling.yaml of the model says
  uint64_t seed = 0;
  CalibrationOptions calibration;  ///< steps, guidance and threads are filled in by the runner
  std::vector<Cell> cells;
  std::vector<std::string> backends;  ///< each of them has every cell; see backend.h
  Value resolved = Value::map();      ///< the configuration with all defaults, as YAML shows it
};

/// Reads study files: later files are laid over earlier ones, then `a.b=c` overrides. Strict: unknown keys,
/// stages, schemes and methods, duplicate cells and a study without cells are kConfig with the place and the
/// nearest name.
StudyConfig load_study(const std::vector<std::string>& files, const std::vector<std::string>& overrides);

/// The same for a tree in memory.
StudyConfig parse_study(Value value);

/// SHA-256 over what decides the results: the resolved configuration with the model's content in place of its
/// path.
std::string study_hash(const StudyConfig& study, const std::string& model_hash);

}  // namespace svdlab
