#pragma once
#include <string>
#include <vector>

#include "experiments/compare/row_filter.h"

namespace svdlab {

enum class Direction { kHigher, kLower, kNone };
/// Which way is better for a metric; kNone where neither is, as for ranks and singular values.
Direction better_direction(const std::string& metric);

enum class Limit {
  kDrop,    ///< a metric of which more is better may fall by so much
  kRise,    ///< a metric of which less is better may grow by so much
  kChange,  ///< either way
  kExact,   ///< equal bit for bit
};

/// One condition on B against A.
struct Gate {
  std::string table;   ///< HDF5 path, "/layers"
  std::string metric;  ///< a column; "": every metric of the table, kExact only
  RowFilter rows;      ///< the rows that it is about; all when empty
  Limit limit = Limit::kChange;
  double bound = 0;       ///< in the metric's unit, or a fraction of |A|
  bool relative = false;  ///< `bound` is a fraction
  /// /samples only: the bound holds for the mean difference over the items of a cell, and the gate fails when
  /// the whole paired 95 % interval is beyond it, not for chance.
  bool paired = false;
};

/// A list of {table, metric, max_drop | max_rise | max_change: 0.1 or 2%, or exact: true, paired, and
/// patterns for identifier columns: cell: int4/*, layer: "*.to_q" ...}. kConfig with the place and the
/// nearest name for unknown keys, tables, metrics and columns, and for a limit of the wrong direction.
std::vector<Gate> parse_gates(const Value& list);
std::vector<Gate> load_gates(const std::string& path);

/// "layers output_sqnr_db max_drop 0.1, cell=int4/*"
std::string gate_text(const Gate& gate);

}  // namespace svdlab
