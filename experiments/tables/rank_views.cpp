#include <algorithm>

#include "core/base/error.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/analysis_views.h"
#include "experiments/tables/row_math.h"

namespace svdlab {

AnalysisView spectrum_view(const Table& s) {
  Table t{"/spectrum", {text_column("cell"), text_column("role"), text_column("matrix")}};
  std::vector<int64_t> ranks = integers(s, "rank");
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  for (const int64_t rank : ranks) t.columns.push_back(number_column(concat("r=", rank)));
  for (const auto& [cell, cell_rows] : rows_by(s, "cell"))
    for (const auto& [role, role_rows] : rows_by(s, "role"))
      for (const char* matrix : {"weight", "smoothed", "error"}) {
        texts(t, "cell").push_back(cell);
        texts(t, "role").push_back(role);
        texts(t, "matrix").push_back(matrix);
        for (const int64_t rank : ranks) {
          std::vector<size_t> rows;
          for (const size_t row : role_rows)
            if (texts(s, "cell")[row] == cell && integers(s, "rank")[row] == rank) rows.push_back(row);
          numbers(t, concat("r=", rank)).push_back(mean_over(s, matrix, rows));
        }
      }
  return {"Energy captured by rank",
          "Share of the squared Frobenius norm in the r leading singular values, mean over the branches of "
          "a role: of the weight, of the smoothed weight, and of what quantizing that one got wrong.",
          t};
}

AnalysisView outlier_view(const Table& o) {
  Table t{
      "/outliers",
      {text_column("cell"), text_column("role"), number_column("input"), number_column("smoothed input")}};
  constexpr int64_t kRanks[] = {0, 8, 32};
  for (const char* matrix : {"weight", "smoothed weight"})
    for (const int64_t rank : kRanks)
      t.columns.push_back(number_column(rank == 0 ? matrix : concat(matrix, " - r=", rank)));
  for (const auto& [cell, cell_rows] : rows_by(o, "cell"))
    for (const auto& [role, role_rows] : rows_by(o, "role")) {
      texts(t, "cell").push_back(cell);
      texts(t, "role").push_back(role);
      for (const int64_t rank : kRanks) {
        std::vector<size_t> rows;
        for (const size_t row : role_rows)
          if (texts(o, "cell")[row] == cell && integers(o, "rank")[row] == rank) rows.push_back(row);
        const std::string rest = rank == 0 ? "" : concat(" - r=", rank);
        numbers(t, "weight" + rest).push_back(median_over(o, "weight_ratio", rows));
        numbers(t, "smoothed weight" + rest).push_back(median_over(o, "smoothed_weight_ratio", rows));
        if (rank > 0) continue;
        numbers(t, "input").push_back(median_over(o, "input_ratio", rows));
        numbers(t, "smoothed input").push_back(median_over(o, "smoothed_input_ratio", rows));
      }
    }
  return {"Outlier channels",
          "Largest over median absolute maximum of the input channels, of inputs and of weights' columns, "
          "before and after the best approximation of rank r is taken out; median over the branches of a "
          "role.",
          t};
}

}  // namespace svdlab
