#pragma once
#include <string>

#include "experiments/study/cell_file.h"

namespace svdlab {

/// The main table of a run: one row a cell, in the order of the cells.
Table main_table(const ResultFile& results);

/// What was measured against what, in one paragraph of plain text: protocol, model, guidance, n, calibration,
/// outliers.
std::string caption_of(const ResultFile& results);

/// Caption and main table for a terminal.
std::string summary_text(const ResultFile& results);

/// tables/table.{csv,md,tex} and report.html in the run directory `folder`.
void write_views(const std::string& folder, const ResultFile& results);

}  // namespace svdlab
