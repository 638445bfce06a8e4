#include <algorithm>

#include "core/base/error.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/analysis_views.h"
#include "experiments/tables/row_math.h"

namespace svdlab {
namespace {

constexpr size_t kShownGroups = 12;

}  // namespace

AnalysisView drift_view(const Table& ranges) {
  struct Drift {
    std::string group;
    double first, last, ratio, rms_ratio;
  };
  const auto spread = [&](const char* column, const std::vector<size_t>& rows) {
    const std::vector<double> values = picked(ranges, column, rows);
    const auto [lo, hi] = std::minmax_element(values.begin(), values.end());
    return *hi / *lo;
  };
  std::vector<Drift> drifts;
  for (const auto& [group, rows] : rows_by(ranges, "group"))
    drifts.push_back({group, numbers(ranges, "absmax")[rows.front()], numbers(ranges, "absmax")[rows.back()],
                      spread("absmax", rows), spread("rms", rows)});
  std::stable_sort(drifts.begin(), drifts.end(),
                   [](const Drift& a, const Drift& b) { return a.ratio > b.ratio; });
  const size_t groups = drifts.size();
  drifts.resize(std::min(drifts.size(), kShownGroups));
  Table t{"/drift",
          {text_column("group"), number_column("absmax, first step"), number_column("last step"),
           number_column("largest/smallest absmax"), number_column("of rms")}};
  for (const Drift& d : drifts) {
    texts(t, "group").push_back(d.group);
    numbers(t, "absmax, first step").push_back(d.first);
    numbers(t, "last step").push_back(d.last);
    numbers(t, "largest/smallest absmax").push_back(d.ratio);
    numbers(t, "of rms").push_back(d.rms_ratio);
  }
  return {"Drift of input ranges",
          concat("Largest magnitude of a group's input by sampling step, first items of the 16-bit run; the ",
                 drifts.size(), " of ", groups, " groups that change most along the steps."),
          t};
}

AnalysisView step_view(const Table& trajectory, const Table& steps, const Table& ranges) {
  Table t{"/steps", {integer_column("step"), number_column("sigma")}};
  const auto cells = rows_by(trajectory, "cell");
  for (const auto& [cell, rows] : cells) {
    t.columns.push_back(number_column(cell + " latent error"));
    t.columns.push_back(number_column(cell + " output SQNR", "dB"));
  }
  const auto by_group = rows_by(ranges, "group");
  for (const size_t range : by_group.front().second) {
    const int64_t step = integers(ranges, "step")[range];
    integers(t, "step").push_back(step);
    numbers(t, "sigma").push_back(numbers(ranges, "sigma")[range]);
    for (const auto& [cell, cell_rows] : cells) {
      std::vector<size_t> at, layers;
      for (const size_t row : cell_rows)  // the latents behind step s are those of point s + 1
        if (integers(trajectory, "step")[row] == step + 1) at.push_back(row);
      for (const size_t row : rows_where(steps, "cell", cell))
        if (integers(steps, "step")[row] == step) layers.push_back(row);
      numbers(t, cell + " latent error").push_back(mean_over(trajectory, "latent_rel_error", at));
      numbers(t, cell + " output SQNR").push_back(mean_over(steps, "output_sqnr_db", layers));
    }
  }
  return {
      "Error by step",
      "Relative error of the latents behind each step, and mean output SQNR of the quantized layers in it "
      "on the 16-bit run's own inputs.",
      t};
}

}  // namespace svdlab
