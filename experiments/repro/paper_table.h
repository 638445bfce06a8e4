#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/value.h"

namespace svdlab {

/// A metric as a source defines it, and which of our metrics stands beside it.
struct PaperMetric {
  std::string name;            ///< "psnr"
  std::string unit;            ///< "dB" or ""
  std::string implementation;  ///< by which the published numbers were made
  bool higher_is_better = true;
  std::string ours;   ///< our metric, a name of `svdlab eval` or size_ratio; "": there is none
  std::string needs;  ///< values are compared only with an implementation of ours that has this in its name
  std::string stand_in;  ///< not "": ours is another metric, so it tells orderings and never values
  std::string absent;    ///< without `ours`: why
  double band = 0;       ///< values this close agree; published values this close are a tie, no ordering
  double limit = 0;      ///< > 0: the published value times this is an upper limit, and `band` is not used
};

/// One published number, or one row of a figure without numbers.
struct PaperCell {
  std::string section, column, row, metric;
  std::optional<double> value;  ///< absent: the source shows a figure or says it in words
  int64_t n = 0;                ///< items behind it, 0: the source does not say

  std::string label() const { return section + " " + column + " " + row + " " + metric; }
};

/// What the source says of two rows under one metric: one is better, or (`gauge` given) they are about alike
/// on the scale of the distance between `worse` and `gauge`.
struct PaperOrdering {
  std::string section, column, metric;
  std::string better, worse;
  std::string gauge;
  std::optional<double> difference;  ///< published, better - worse
};

/// A part of a table with one model.
struct PaperSection {
  std::string name;
  std::vector<std::string> models;  ///< names of model folders that hold this very model
  int64_t steps = 0;                ///< 0: the source does not say
};

/// Which cell of a study measures a row.
struct RowMeasurement {
  std::string cell;      ///< "int4/rtn"; $column stands for the column's name
  std::string stand_in;  ///< not "": in which way it is not the same method
};

/// A published table as data: experiments/repro/tables/*.yaml. Strictly parsed; published values come from
/// the named source and nowhere else.
struct PaperTable {
  std::string name, title;
  std::string source;  ///< "arXiv:2411.05007v1, Table 1"
  std::vector<std::string> notes;
  Value protocol = Value::map();  ///< for people: data, resolution, calibration ...
  std::string study;              ///< study file that measures it; "": only results of other programs can
  std::map<std::string, RowMeasurement> rows;  ///< rows that the study has a cell for
  std::vector<PaperMetric> metrics;
  std::vector<PaperSection> sections;
  std::vector<PaperCell> cells;
  std::vector<PaperOrdering> orderings;

  const PaperMetric& metric(const std::string& name) const;
  const PaperSection& section(const std::string& name) const;
};

inline constexpr const char* kPaperTables = "experiments/repro/tables";

/// Throws kConfig with the place for unknown keys, duplicate cells, orderings of unknown rows.
PaperTable parse_paper_table(const Value& value);

/// `name` is a table of `folder` or the path of a YAML file. kConfig names the nearest table, kInput a folder
/// that is not there.
PaperTable load_paper_table(const std::string& name, const std::string& folder = kPaperTables);

/// Names of the tables in `folder`, sorted.
std::vector<std::string> paper_table_names(const std::string& folder = kPaperTables);

}  // namespace svdlab
