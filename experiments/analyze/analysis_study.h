#pragma once
#include <optional>
#include <string>
#include <vector>

#include "experiments/analyze/analysis.h"

namespace svdlab {

/// What the command line asks an analysis to look at.
struct AnalysisRequest {
  std::string source;                  ///< a model folder, or a study file (*.yaml, *.yml)
  std::vector<std::string> overrides;  ///< a.b=c, as `svdlab run` has them
  std::string schemes, methods;  ///< of a model folder: names with commas between; "": the analysis's own
  std::string cell;              ///< of a study: its only cell to look at; "": all
  std::optional<int64_t> items, steps;
  AnalysisOptions options;
};

/// The study an analysis runs as: named "analyze-<name>", with `analysis` in its configuration, so that it
/// has a folder of its own. A model gets a study of its own with calibration as studies have it. kConfig as
/// load_study, for what does not go together, and for a cell the study does not have.
StudyConfig analysis_study(const Analysis& analysis, const AnalysisRequest& request);

}  // namespace svdlab
