#pragma once
#include <string>

#include "experiments/study/cell_file.h"

namespace svdlab {

/// One HTML page about a run: what was measured, the table, pictures side by side, charts, where each number
/// comes from, configuration and provenance. Pictures are read from the run directory `folder`; those that
/// are missing are left out.
std::string report_page(const std::string& folder, const ResultFile& results);

}  // namespace svdlab
