#pragma once
#include <string>
#include <vector>

#include "experiments/study/run_study.h"

namespace svdlab {

struct AnalysisOptions {
  std::string by;  ///< sensitivity alone: what is turned on and off, `block`, `group` or `role`
};

/// A way to look into a model and its quantized cells beyond what a study measures. It runs as a study does,
/// cell by cell, and fills tables of its own.
struct Analysis {
  std::string name, summary;
  std::string schemes, methods;     ///< of a model's cells unless the command line says otherwise; YAML lists
  int64_t items = 0, steps = 0;     ///< the same
  std::string plan = "default";     ///< of a model's cells, YAML
  bool trajectories = false;        ///< needs the 16-bit run's trajectories
  std::vector<std::string> tables;  ///< those of analysis_tables() it fills
  /// Rows about one cell; nullptr: there are none.
  std::vector<Table> (*cell)(const Cell& cell, const CellContext& context, const AnalysisOptions& options);
  /// Rows about the 16-bit model, under the name of the reference; nullptr: there are none.
  std::vector<Table> (*reference)(const std::string& name, const CellContext& context);
  bool whole_cell = false;  ///< each cell is sampled and measured as in a study, too
};

/// In the order of `svdlab analyze --help`.
const std::vector<Analysis>& analyses();
/// kConfig with the nearest name.
const Analysis& analysis_named(const std::string& name);

/// What run_study measures for an analysis: its tables, and a row in /cells for every cell: `analyzed` where
/// the cell was not sampled.
CellWork analysis_work(const Analysis& analysis, const AnalysisOptions& options);

std::vector<Table> layer_facts(const std::string& name, const CellContext& context);
std::vector<Table> layer_errors_by_scheme(const Cell& cell, const CellContext& context,
                                          const AnalysisOptions& options);
std::vector<Table> sensitivity(const Cell& cell, const CellContext& context, const AnalysisOptions& options);
std::vector<Table> spectrum_energy(const Cell& cell, const CellContext& context,
                                   const AnalysisOptions& options);
std::vector<Table> outlier_rank(const Cell& cell, const CellContext& context, const AnalysisOptions& options);
std::vector<Table> hidden_states(const Cell& cell, const CellContext& context,
                                 const AnalysisOptions& options);
std::vector<Table> timestep_ranges(const std::string& name, const CellContext& context);

}  // namespace svdlab
