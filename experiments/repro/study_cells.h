#pragma once
#include <optional>
#include <string>
#include <vector>

#include "experiments/repro/paper_table.h"
#include "experiments/study/study_config.h"

namespace svdlab {

/// The study cell that measures a row in one column: $column filled in.
std::string study_cell(const RowMeasurement& row, const std::string& column);

/// "repro-<table>": the name of the table's part of its study, hence of its run directory.
std::string repro_study_name(const PaperTable& table);

/// The table's study under `protocol` (small or full), with the cells that the table needs and no others, in
/// the study's order; then overrides of its resolved configuration. kConfig when the study lacks one of the
/// cells, naming the nearest.
StudyConfig repro_study(const PaperTable& table, const std::string& protocol,
                        const std::vector<std::string>& overrides);

}  // namespace svdlab
