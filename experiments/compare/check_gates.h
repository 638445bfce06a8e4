#pragma once
#include <optional>
#include <string>
#include <vector>

#include "experiments/compare/compared_file.h"
#include "experiments/compare/gate.h"

namespace svdlab {

/// A row (paired gates: a cell) that a gate does not let pass.
struct Offender {
  RowFilter key;     ///< with the table, what --only takes to look at it alone
  std::string what;  ///< "output_sqnr_db 21.5 -> 19.25", "only in A"
  double badness = 0;
};

struct GateResult {
  Gate gate;
  size_t compared = 0;      ///< values (paired: cells) looked at
  size_t left_out = 0;      ///< rows without numbers on both sides: of the 16-bit run, of skipped cells
  double worst_change = 0;  ///< the largest, as the limit counts it; NaN: none was compared
  std::vector<Offender> offenders;  ///< rows in the order of A (layers: of the graph), then those only in B

  bool passed() const { return offenders.empty(); }
  const Offender& first() const { return offenders.front(); }
  const Offender& worst() const;
};

/// Applies the gates to the rows that `only` keeps. A row that one side lacks, and a NaN, do not pass.
/// kConfig with the nearest name for patterns (of gates and of `only`) that no row of either side matches,
/// and when a gate, or all of them together under `only`, would have nothing to compare.
std::vector<GateResult> check_gates(const std::vector<Gate>& gates, const ComparedFile& a,
                                    const ComparedFile& b, const RowFilter& only);

}  // namespace svdlab
