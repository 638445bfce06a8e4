#pragma once
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "eval/bootstrap.h"
#include "experiments/repro/paper_table.h"
#include "experiments/study/cell_file.h"

namespace svdlab {

/// One of our numbers.
struct MeasuredValue {
  Interval interval;
  std::string implementation;
  std::map<std::string, double> items;  ///< by item name; empty when only the interval is known
};

/// What we have for one row of a published table.
struct MeasuredRow {
  std::string cell;     ///< study cell or file it comes from; "" when `missing`
  std::string missing;  ///< not "": why there is nothing
  std::string stand_in;
  std::map<std::string, MeasuredValue> metrics;  ///< by our metric's name
};

/// What we have for a table, and of which model.
struct MeasuredTable {
  using Key = std::tuple<std::string, std::string, std::string>;  ///< section, column, row

  std::string origin;       ///< for the caption: the run or the files
  std::string fingerprint;  ///< equal for equal numbers
  std::string model;        ///< name of the model's folder; "": each section's own, as its files say
  std::string model_sha256;
  int64_t steps = 0;  ///< sampling steps, 0: not known
  std::map<Key, MeasuredRow> rows;

  /// The name for heads of tables.
  std::string model_of(const PaperSection& section) const;
  bool same_model(const PaperSection& section) const;
  const MeasuredRow* find(const PaperCell& cell, const std::string& row) const;
};

/// The last part of a path, for models that are named by their folder.
std::string folder_name(std::string path);

/// Rows of `table` out of a finished study. kConfig when the results are of another study.
MeasuredTable measured_in_study(const PaperTable& table, const ResultFile& results);

/// Rows out of `svdlab eval --json` documents at <folder>/<section>/<column>/<row>.json; the section's name
/// is what says which model they are of. kConfig for files that the table has no row for, naming the nearest,
/// kInput for files that do not parse and for a folder without any.
MeasuredTable measured_in_folder(const PaperTable& table, const std::string& folder);

}  // namespace svdlab
