#pragma once
#include <vector>

#include "core/io/hdf5.h"

namespace svdlab {

/// The tables of a run, empty: names, columns, units. Cell files and results.h5 have the same ones; every
/// table's first column is the cell's name. Columns whose name contains "seconds" are timings; all else
/// repeats bit for bit.
std::vector<Table> result_tables();

/// The tables of `svdlab analyze`, empty; each analysis fills its own, and a file holds those and no others.
std::vector<Table> analysis_tables();

}  // namespace svdlab
