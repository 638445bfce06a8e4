#pragma once
#include <string>
#include <vector>

#include "experiments/study/cell_file.h"
#include "experiments/study/reference.h"
#include "experiments/study/study_config.h"

namespace svdlab {

struct RunOptions {
  std::string runs = "runs";  ///< folder of run directories; calibration statistics are cached in its `cache`
  Schedule schedule;
  std::vector<std::string> command_line;  ///< for provenance
};

struct StudyRun {
  std::string folder;
  ResultFile results;
  int64_t failed = 0, skipped = 0, reused = 0;
};

/// Runs every cell that has no result yet and collects results.h5. A cell that makes no sense is recorded as
/// skipped, one that fails as failed; the study goes on. May be killed at any moment: the next call goes on
/// from the finished cells.
StudyRun run_study(const StudyConfig& study, const RunOptions& options);

/// What run_study would do, one line a cell, without doing it.
std::vector<std::string> describe_study(const StudyConfig& study, const RunOptions& options);

}  // namespace svdlab
