#include "experiments/study/table_rows.h"
#include "experiments/tables/analysis_views.h"
#include "experiments/tables/row_math.h"

namespace svdlab {

AnalysisView hidden_view(const Table& h) {
  Table t{"/hidden", {text_column("state"), number_column("16 bit")}};
  const auto cells = rows_by(h, "cell");
  for (const auto& [cell, rows] : cells) t.columns.push_back(number_column(cell + " / 16 bit"));
  for (const auto& [state, rows] : rows_by(h, "state")) {
    texts(t, "state").push_back(state);
    for (const auto& [cell, unused] : cells) {
      std::vector<size_t> own;
      for (const size_t row : rows)
        if (texts(h, "cell")[row] == cell) own.push_back(row);
      const double reference = mean_over(h, "nuclear_norm_16_bit", own);
      if (cell == cells.front().first) numbers(t, "16 bit").push_back(reference);
      numbers(t, cell + " / 16 bit").push_back(mean_over(h, "nuclear_norm", own) / reference);
    }
  }
  return {
      "Directions of hidden states",
      "Matrix Nuclear-Norm of what each block hands on, mean over items and steps: of the 16-bit model, and "
      "of each quantized one on the same latents, as a ratio. Below 1 the tokens have collapsed onto fewer "
      "directions, above 1 rounding has added some.",
      t};
}

}  // namespace svdlab
