#include "experiments/analyze/analysis.h"

#include <algorithm>

#include "experiments/study/schema.h"

namespace svdlab {
namespace {

void append(std::vector<Table>& tables, std::vector<Table> more) {
  for (Table& table : more) tables.push_back(std::move(table));
}

std::vector<Table> tables_of(const Analysis& analysis) {
  std::vector<Table> out = result_tables();
  for (Table& table : analysis_tables())
    if (std::find(analysis.tables.begin(), analysis.tables.end(), table.name) != analysis.tables.end())
      out.push_back(std::move(table));
  return out;
}

}  // namespace

CellWork analysis_work(const Analysis& analysis, const AnalysisOptions& options) {
  CellWork work{.tables = tables_of(analysis), .trajectories = analysis.trajectories};
  work.cell = [&analysis, options](const Cell& cell, const CellContext& c) {
    std::vector<Table> rows =
        analysis.whole_cell ? run_cell(cell, c) : cell_without_results(cell, "analyzed", "");
    if (analysis.cell) append(rows, analysis.cell(cell, c, options));
    return rows;
  };
  work.reference = [&analysis](const OutlierDial& dial, const CellContext& c) {
    std::vector<Table> rows =
        reference_tables(dial, c.reference, c.stats, analysis.trajectories ? c.items : 0);
    if (analysis.reference) append(rows, analysis.reference(reference_name(dial), c));
    return rows;
  };
  return work;
}

}  // namespace svdlab
