#pragma once
#include <string>

#include "core/io/hdf5.h"
#include "experiments/study/cell_run.h"
#include "lowrank/compress_model.h"

namespace svdlab {

/// The table of analysis_tables() called `name`, empty.
Table analysis_table(const std::string& name);

/// The model compressed by the cell's plan.
Compression compress_cell(const Cell& cell, const CellContext& context);

}  // namespace svdlab
