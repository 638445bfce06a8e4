#include "experiments/analyze/analysis.h"
#include "experiments/analyze/analysis_table.h"
#include "experiments/analyze/branch_weights.h"
#include "experiments/analyze/principal.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

struct Captured {
  std::vector<int64_t> ranks;
  std::vector<double> weight, smoothed, error;  ///< one per rank
};

Captured captured(const BranchWeights& w) {
  const std::vector<int64_t> ranks = ranks_of(w.weight, false);
  return {ranks, captured_energy(w.weight, ranks), captured_energy(w.smoothed, ranks),
          captured_energy(w.smoothed - w.quantized, ranks)};
}

}  // namespace

std::vector<Table> spectrum_energy(const Cell& cell, const CellContext& c, const AnalysisOptions&) {
  const Graph& graph = c.reference.model().graph;
  const Compression compression = compress_cell(cell, c);
  const std::vector<BranchLinears> branches = compressed_branches(graph, compression.model);
  std::vector<Captured> found(branches.size());
  for_each_item(0, static_cast<int64_t>(branches.size()), c.schedule, [&](int64_t i) {
    found[i] = captured(branch_weights(graph, compression.model, branches[i]));
  });
  Table t = analysis_table("/spectrum_energy");
  for (size_t i = 0; i < branches.size(); ++i)
    for (size_t r = 0; r < found[i].ranks.size(); ++r) {
      texts(t, "cell").push_back(cell.name);
      texts(t, "group").push_back(branches[i].group->name);
      texts(t, "branch").push_back(branches[i].name);
      texts(t, "role").push_back(branches[i].roles);
      integers(t, "rank").push_back(found[i].ranks[r]);
      numbers(t, "weight").push_back(found[i].weight[r]);
      numbers(t, "smoothed").push_back(found[i].smoothed[r]);
      numbers(t, "error").push_back(found[i].error[r]);
    }
  return {t};
}

}  // namespace svdlab
