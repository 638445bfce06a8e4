#pragma once
#include <string>
#include <vector>

#include "core/io/hdf5.h"

namespace svdlab {

// Over some rows of a numeric column. NaN for no rows.

/// The values, in the order of `rows`.
std::vector<double> picked(const Table& table, const std::string& column, const std::vector<size_t>& rows);
double mean_over(const Table& table, const std::string& column, const std::vector<size_t>& rows);
double median_over(const Table& table, const std::string& column, const std::vector<size_t>& rows);
double largest_over(const Table& table, const std::string& column, const std::vector<size_t>& rows);

/// "[lo, hi]", or "" where one of them is no number.
std::string interval_text(double lo, double hi, int decimals);

}  // namespace svdlab
