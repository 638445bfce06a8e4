#include "experiments/analyze/analysis.h"
#include "experiments/analyze/analysis_table.h"
#include "experiments/analyze/branch_weights.h"
#include "experiments/analyze/moments.h"
#include "experiments/analyze/principal.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

/// A weight after its best approximation of some rank is taken out.
struct Rest {
  double ratio = 0, absmax = 0;
};

struct BranchOutliers {
  std::vector<int64_t> ranks;
  std::vector<Rest> weight, smoothed;  ///< one per rank
  double input = 0, smoothed_input = 0;
};

std::vector<Rest> rests(const Tensor& m, const std::vector<int64_t>& ranks) {
  const Principal principal(m);
  std::vector<Rest> out;
  for (const int64_t rank : ranks) {
    const Tensor channels = column_absmax(principal.residual(rank));
    out.push_back({max_over_median(channels), channels.max().item<double>()});
  }
  return out;
}

BranchOutliers outliers_of(const BranchWeights& w, const ActivationStats& stats) {
  const std::vector<int64_t> ranks = ranks_of(w.weight, true);
  return {ranks, rests(w.weight, ranks), rests(w.smoothed, ranks), max_over_median(stats.absmax),
          max_over_median(stats.absmax.to(at::kDouble) / w.smooth)};
}

}  // namespace

std::vector<Table> outlier_rank(const Cell& cell, const CellContext& c, const AnalysisOptions&) {
  const Graph& graph = c.reference.model().graph;
  const Compression compression = compress_cell(cell, c);
  const std::vector<BranchLinears> branches = compressed_branches(graph, compression.model);
  std::vector<BranchOutliers> found(branches.size());
  for_each_item(0, static_cast<int64_t>(branches.size()), c.schedule, [&](int64_t i) {
    found[i] = outliers_of(branch_weights(graph, compression.model, branches[i]),
                           c.stats.at(branches[i].group->name));
  });
  Table t = analysis_table("/outlier_rank");
  for (size_t i = 0; i < branches.size(); ++i)
    for (size_t r = 0; r < found[i].ranks.size(); ++r) {
      texts(t, "cell").push_back(cell.name);
      texts(t, "group").push_back(branches[i].group->name);
      texts(t, "branch").push_back(branches[i].name);
      texts(t, "role").push_back(branches[i].roles);
      integers(t, "rank").push_back(found[i].ranks[r]);
      numbers(t, "input_ratio").push_back(found[i].input);
      numbers(t, "smoothed_input_ratio").push_back(found[i].smoothed_input);
      numbers(t, "weight_ratio").push_back(found[i].weight[r].ratio);
      numbers(t, "smoothed_weight_ratio").push_back(found[i].smoothed[r].ratio);
      numbers(t, "weight_absmax").push_back(found[i].weight[r].absmax);
      numbers(t, "smoothed_weight_absmax").push_back(found[i].smoothed[r].absmax);
    }
  return {t};
}

}  // namespace svdlab
