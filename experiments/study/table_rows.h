#pragma once
#include <string>
#include <utility>
#include <vector>

#include "core/io/hdf5.h"

namespace svdlab {

/// An empty column; push_back on the vector that `texts`, `numbers` or `integers` gives.
Column text_column(const std::string& name, const std::string& unit = "");
Column number_column(const std::string& name, const std::string& unit = "");
Column integer_column(const std::string& name, const std::string& unit = "");

std::vector<std::string>& texts(Table& table, const std::string& column);
std::vector<double>& numbers(Table& table, const std::string& column);
std::vector<int64_t>& integers(Table& table, const std::string& column);
const std::vector<std::string>& texts(const Table& table, const std::string& column);
const std::vector<double>& numbers(const Table& table, const std::string& column);
const std::vector<int64_t>& integers(const Table& table, const std::string& column);

/// Appends the rows of `more`, which must have the same columns (kInput otherwise).
void append_rows(Table& table, const Table& more);

/// The rows of `table` whose text column `column` is `value`.
std::vector<size_t> rows_where(const Table& table, const std::string& column, const std::string& value);

/// Rows with the same value of the text column `column`, in the order in which values first appear.
std::vector<std::pair<std::string, std::vector<size_t>>> rows_by(const Table& table,
                                                                 const std::string& column);

/// The table called `name`, or nullptr.
const Table* find_table(const std::vector<Table>& tables, const std::string& name);

}  // namespace svdlab
