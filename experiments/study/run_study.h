#pragma once
#include <functional>
#include <string>
#include <vector>

#include "experiments/study/cell_file.h"
#include "experiments/study/cell_run.h"
#include "experiments/study/reference.h"
#include "experiments/study/study_config.h"

namespace svdlab {

struct RunOptions {
  std::string runs = "runs";  ///< folder of run directories; calibration statistics are cached in its `cache`
  Schedule schedule;
  std::vector<std::string> command_line;  ///< for provenance
};

/// What a run measures: rows for the tables of one cell, and for those of the 16-bit run behind some cells.
struct CellWork {
  std::vector<Table> tables;  ///< all that results.h5 has, empty
  bool trajectories = true;   ///< the 16-bit run samples the protocol's items
  std::function<std::vector<Table>(const Cell&, const CellContext&)> cell;
  std::function<std::vector<Table>(const OutlierDial&, const CellContext&)> reference;
};
/// run_cell and reference_tables: what `svdlab run` measures.
CellWork study_work();

struct StudyRun {
  std::string folder;
  ResultFile results;
  int64_t failed = 0, skipped = 0, reused = 0;
};

/// Runs every cell that has no result yet and collects results.h5. A cell that makes no sense is recorded as
/// skipped, one that fails as failed; the study goes on. May be killed at any moment: the next call goes on
/// from the finished cells.
StudyRun run_study(const StudyConfig& study, const RunOptions& options, const CellWork& work = study_work());

/// What run_study would do, one line a cell, without doing it.
std::vector<std::string> describe_study(const StudyConfig& study, const RunOptions& options);

}  // namespace svdlab
