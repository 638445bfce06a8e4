#pragma once
#include <string>

#include "experiments/compare/compared_file.h"
#include "experiments/compare/row_filter.h"

namespace svdlab {

/// What differs between two results, for reading: one row for each metric with differences (how many, the
/// mean and the largest change and where), then the tables that are equal, then rows and columns that only
/// one side has. Decides nothing.
std::string differences_text(const ComparedFile& a, const ComparedFile& b, const RowFilter& only);

}  // namespace svdlab
