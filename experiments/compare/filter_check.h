#pragma once
#include <string>

#include "experiments/compare/compared_file.h"
#include "experiments/compare/row_filter.h"

namespace svdlab {

/// Refuses (kConfig, with the nearest name) a pattern of `filter` that no row of either table matches; `what`
/// starts the message.
void check_patterns(const RowFilter& filter, const Table& a, const Table& b, const std::string& what);

/// The same for the filter of a command line, which may fit several tables; tables and columns are looked up,
/// too.
void check_only(const RowFilter& only, const ComparedFile& a, const ComparedFile& b);

}  // namespace svdlab
