#include "experiments/compare/study_part.h"

#include <algorithm>

#include "core/base/names.h"
#include "experiments/study/cell_config.h"

namespace svdlab {

void keep_cells(StudyConfig& study, const RowFilter& only) {
  for (const auto& [column, pattern] : only) {
    if (column != "cell") continue;
    std::vector<Cell> kept;
    for (const Cell& cell : study.cells)
      if (glob_match(pattern, cell.name)) kept.push_back(cell);
    if (kept.empty()) return;  // the comparison names what is wrong with the pattern
    study.cells = std::move(kept);
    study.resolved.at_or_add("cells") = cells_to_value(study.cells);
  }
}

}  // namespace svdlab
