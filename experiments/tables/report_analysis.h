#pragma once
#include "experiments/report/html.h"
#include "experiments/study/cell_file.h"

namespace svdlab {

/// Adds a section with tables and charts for every analysis in `results`; nothing for a study.
void add_analyses(report::HtmlPage& page, const ResultFile& results);

}  // namespace svdlab
