#pragma once
#include <string>

#include "experiments/compare/check_gates.h"
#include "experiments/study/study_config.h"

namespace svdlab {

/// Golden results of a small study: `folder` holds results.h5, machine.yaml (class of machine and libraries
/// that made them) and gates.yaml (the tolerances where the class is another).
struct BaselineOptions {
  std::string folder, study;  ///< study: a YAML file
  int threads = 1;
};

enum class BaselineMode {
  kAuto,       ///< exact where the class is the baseline's, else tolerance
  kExact,      ///< every number, text and picture equal bit for bit, timings apart
  kTolerance,  ///< gates.yaml
};

struct BaselineCheck {
  std::string mode;  ///< which one was used and why, a line
  std::vector<GateResult> results;
};

/// Runs the study and writes results.h5 and machine.yaml; gates.yaml stays what it is.
void update_baseline(const BaselineOptions& options);

/// Runs the study (of its cells those that `only` asks for) and compares with the golden results.
/// kConfig when those are of another study, model or version of the numerics.
BaselineCheck check_baseline(const BaselineOptions& options, BaselineMode mode, const RowFilter& only);

}  // namespace svdlab
