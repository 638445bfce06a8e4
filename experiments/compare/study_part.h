#pragma once
#include "experiments/compare/row_filter.h"
#include "experiments/study/study_config.h"

namespace svdlab {

/// Keeps the cells of a study that a filter's `cell` pattern asks for; all without one, or with one that is
/// about the 16-bit run alone (which is part of every study).
void keep_cells(StudyConfig& study, const RowFilter& only);

}  // namespace svdlab
