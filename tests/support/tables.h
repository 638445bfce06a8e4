#pragma once
#include <vector>

#include "core/io/hdf5.h"

namespace svdlab::testing {

/// Fails, naming table, column and first row, unless all tables agree bit for bit (NaN equals NaN). Columns
/// whose name contains "seconds" are compared only when `timings` is set.
void expect_same_tables(const std::vector<Table>& a, const std::vector<Table>& b, bool timings);

}  // namespace svdlab::testing
