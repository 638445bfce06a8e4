#pragma once
#include <string>
#include <vector>

#include "experiments/study/cell_file.h"

namespace svdlab {

/// The main table of a run: one row a cell, in the order of the cells, without the 16-bit run they are
/// measured against.
Table main_table(const ResultFile& results);

/// Mean PSNR of each cell less that of the first cell of its scheme and outliers, over the items both have,
/// with a paired 95 % bootstrap interval.
Table gain_table(const ResultFile& results);

/// What was measured against what, in one paragraph of plain text: protocol, model, guidance, n, calibration,
/// outliers.
std::string caption_of(const ResultFile& results);

/// Why cells have no numbers, one line each.
std::vector<std::string> reasons(const ResultFile& results);

/// Caption and main table for a terminal.
std::string summary_text(const ResultFile& results);

/// tables/table.{csv,md,tex}, gains.csv, ranking.{csv,md} and report.html in the run directory `folder`,
/// whose pictures the report shows.
void write_views(const std::string& folder, const ResultFile& results);

}  // namespace svdlab
