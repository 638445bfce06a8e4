#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/analysis_views.h"
#include "experiments/tables/row_math.h"

namespace svdlab {
namespace {

constexpr size_t kShownLayers = 5;

std::map<std::string, size_t> row_of_layer(const Table& table) {
  std::map<std::string, size_t> out;
  for (size_t i = 0; i < table.rows(); ++i) out[texts(table, "layer")[i]] = i;
  return out;
}

/// Mean output SQNR of the rows of `errors` whose layer has the role.
double mean_sqnr(const Table& errors, const std::vector<size_t>& cell, const Table& facts,
                 const std::map<std::string, size_t>& fact_row, const std::string& role) {
  std::vector<size_t> rows;
  for (const size_t row : cell)
    if (texts(facts, "role")[fact_row.at(texts(errors, "layer")[row])] == role) rows.push_back(row);
  return mean_over(errors, "output_sqnr_db", rows);
}

}  // namespace

AnalysisView layers_by_role(const Table& facts, const Table& errors) {
  const auto fact_row = row_of_layer(facts);
  const auto cells = rows_by(errors, "cell");
  Table t{"/roles",
          {text_column("role"), integer_column("layers"), number_column("weight kurtosis"),
           number_column("weight max/median"), number_column("input absmax"), number_column("input kurtosis"),
           number_column("input max/median")}};
  for (const auto& [cell, rows] : cells) t.columns.push_back(number_column(cell, "dB"));
  for (const auto& [role, rows] : rows_by(facts, "role")) {
    texts(t, "role").push_back(role);
    integers(t, "layers").push_back(static_cast<int64_t>(rows.size()));
    numbers(t, "weight kurtosis").push_back(median_over(facts, "weight_kurtosis", rows));
    numbers(t, "weight max/median").push_back(median_over(facts, "weight_max_over_median", rows));
    numbers(t, "input absmax").push_back(largest_over(facts, "input_absmax", rows));
    numbers(t, "input kurtosis").push_back(median_over(facts, "input_kurtosis", rows));
    numbers(t, "input max/median").push_back(median_over(facts, "input_max_over_median", rows));
    for (const auto& [cell, cell_rows] : cells)
      numbers(t, cell).push_back(mean_sqnr(errors, cell_rows, facts, fact_row, role));
  }
  return {"Layers by role",
          "Kurtosis (3: normal) and max/median over input channels' absolute maxima: median over the layers; "
          "input absmax: the largest. Cells: mean output SQNR in dB on the calibration's tokens, nan where "
          "the cell keeps 16 bit.",
          t};
}

AnalysisView worst_layers(const Table& facts, const Table& errors) {
  const auto fact_row = row_of_layer(facts);
  Table t{"/worst_layers",
          {text_column("cell"), text_column("layer"), integer_column("out"), integer_column("in"),
           number_column("bits/weight"), number_column("weight SQNR", "dB"),
           number_column("output SQNR", "dB"), number_column("input max/median")}};
  for (auto [cell, rows] : rows_by(errors, "cell")) {
    const std::vector<double>& sqnr = numbers(errors, "output_sqnr_db");
    std::stable_sort(rows.begin(), rows.end(), [&](size_t a, size_t b) { return sqnr[a] < sqnr[b]; });
    rows.resize(std::min(rows.size(), kShownLayers));
    for (const size_t row : rows) {
      const size_t fact = fact_row.at(texts(errors, "layer")[row]);
      texts(t, "cell").push_back(cell);
      texts(t, "layer").push_back(texts(errors, "layer")[row]);
      integers(t, "out").push_back(integers(facts, "out_features")[fact]);
      integers(t, "in").push_back(integers(facts, "in_features")[fact]);
      numbers(t, "bits/weight").push_back(numbers(errors, "bits_per_weight")[row]);
      numbers(t, "weight SQNR").push_back(numbers(errors, "weight_sqnr_db")[row]);
      numbers(t, "output SQNR").push_back(sqnr[row]);
      numbers(t, "input max/median").push_back(numbers(facts, "input_max_over_median")[fact]);
    }
  }
  return {"Layers with the largest error", concat("The ", kShownLayers, " lowest output SQNR of each cell."),
          t};
}

}  // namespace svdlab
