#include "experiments/analyze/analysis_table.h"

#include "experiments/study/cell_config.h"
#include "experiments/study/progress.h"
#include "experiments/study/schema.h"
#include "experiments/study/table_rows.h"

namespace svdlab {

Table analysis_table(const std::string& name) {
  const std::vector<Table> tables = analysis_tables();
  const Table* found = find_table(tables, name);
  SVDLAB_REQUIRE(found != nullptr, Errc::kUnexpected, "no analysis fills ", name);
  return *found;
}

Compression compress_cell(const Cell& cell, const CellContext& c) {
  const Graph& graph = c.reference.model().graph;
  Progress progress("  quantize, group");
  Compression out = compress_model(graph, c.stats, plan_for(graph, cell),
                                   {.threads = c.schedule.threads,
                                    .progress = [&](int done, int total) { progress.update(done, total); }});
  SVDLAB_REQUIRE(!out.model.linears.empty(), Errc::kConfig, "scheme ", cell.scheme, " with method ",
                 cell.method, " quantizes no linear of this model: nothing to analyze");
  return out;
}

}  // namespace svdlab
