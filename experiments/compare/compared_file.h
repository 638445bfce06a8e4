#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/io/hdf5.h"

namespace svdlab {

/// One side of a comparison: the tables of a results.h5 as they are stored, so that files of other versions
/// of the program, with other columns, can be compared, too.
struct ComparedFile {
  std::string path;  ///< of the results.h5
  std::string config_sha256;
  std::vector<Table> tables;
  std::map<std::string, std::string> status;  ///< cell -> ok, reference, skipped or failed
};

/// @param path  a results.h5 or a run folder. kInput when there is none or it is damaged, kConfig for another
/// schema.
ComparedFile load_compared(const std::string& path);

/// What comparisons know of a table without a file: all tables that results can have.
std::vector<Table> comparable_tables();

/// nullptr when there is none.
const Column* find_column(const Table& table, const std::string& name);

/// A text or integer column that says which thing a row is about, rather than what was measured.
bool is_identifier(const Column& column);
/// The identifiers that name a row of the table, in its order: cell and layer, cell and item ...
std::vector<std::string> key_columns(const Table& table);
/// A measured column that is the same in every run: neither identifier nor timing.
bool is_metric(const Column& column);

/// One value as text that reads back equal.
std::string value_text(const Column& column, size_t row);
/// kInput for a text column.
double value_number(const Column& column, size_t row);
/// Equal bit for bit; NaN equals NaN.
bool same_value(const Column& a, size_t row_a, const Column& b, size_t row_b);

}  // namespace svdlab
