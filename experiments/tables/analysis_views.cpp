#include "experiments/tables/analysis_views.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "eval/quantile.h"
#include "experiments/report/table_views.h"
#include "experiments/report/text.h"
#include "experiments/study/schema.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

constexpr size_t kShownUnits = 12, kShownLayers = 5;

std::vector<double> picked(const Table& table, const std::string& column, const std::vector<size_t>& rows) {
  std::vector<double> out;
  for (const size_t row : rows) out.push_back(numbers(table, column)[row]);
  return out;
}

double median_over(const Table& table, const std::string& column, const std::vector<size_t>& rows) {
  std::vector<double> values = picked(table, column, rows);
  std::sort(values.begin(), values.end());
  return values.empty() ? std::nan("") : quantile(values, 0.5);
}

double largest(const Table& table, const std::string& column, const std::vector<size_t>& rows) {
  const std::vector<double> values = picked(table, column, rows);
  return *std::max_element(values.begin(), values.end());
}

std::string interval_text(double lo, double hi, int decimals) {
  if (!std::isfinite(lo) || !std::isfinite(hi)) return "";
  return "[" + report::fixed(lo, decimals) + ", " + report::fixed(hi, decimals) + "]";
}

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
    numbers(t, "input absmax").push_back(largest(facts, "input_absmax", rows));
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

AnalysisView sensitivity_view(const Table& s, const std::string& cell) {
  std::map<std::string, size_t> without;
  for (const size_t row : sensitivity_rows(s, cell, "all-but")) without[texts(s, "unit")[row]] = row;
  std::vector<size_t> rows = sensitivity_rows(s, cell, "only");
  const size_t units = rows.size();
  rows.resize(std::min(rows.size(), kShownUnits));
  const size_t all = sensitivity_rows(s, cell, "all").at(0);
  rows.insert(rows.begin(), all);
  Table t{"/sensitivity",
          {text_column("quantized alone"), integer_column("linears"), integer_column("weights"),
           number_column("output error"), number_column("latent error"), text_column("95 %"),
           number_column("PSNR", "dB"), number_column("gain left out", "dB"), text_column("95 % of gain"),
           integer_column("n")}};
  for (const size_t row : rows) {
    const bool is_all = row == all;
    const size_t rest = is_all ? all : without.at(texts(s, "unit")[row]);
    texts(t, "quantized alone").push_back(is_all ? "(everything)" : texts(s, "unit")[row]);
    integers(t, "linears").push_back(integers(s, "linears")[row]);
    integers(t, "weights").push_back(integers(s, "weights")[row]);
    numbers(t, "output error").push_back(numbers(s, "output_rel_error")[row]);
    numbers(t, "latent error").push_back(numbers(s, "latent_rel_error")[row]);
    texts(t, "95 %").push_back(interval_text(numbers(s, "latent_lo")[row], numbers(s, "latent_hi")[row], 4));
    numbers(t, "PSNR").push_back(numbers(s, "psnr_db")[row]);
    numbers(t, "gain left out").push_back(is_all ? std::nan("") : numbers(s, "psnr_gain_db")[rest]);
    texts(t, "95 % of gain")
        .push_back(is_all ? ""
                          : interval_text(numbers(s, "psnr_gain_lo_db")[rest],
                                          numbers(s, "psnr_gain_hi_db")[rest], 2));
    integers(t, "n").push_back(integers(s, "n")[row]);
  }
  return {"Sensitivity, " + cell,
          concat("The ", rows.size() - 1, " most harmful of ", units,
                 " parts. Errors are relative to the 16-bit run: of the model's output on the 16-bit "
                 "trajectory and of the final latents. Gain: PSNR when everything but this part is "
                 "quantized, less PSNR of everything, paired by item."),
          t};
}

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
  drifts.resize(std::min(drifts.size(), kShownUnits));
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

}  // namespace

std::vector<size_t> sensitivity_rows(const Table& s, const std::string& cell, const std::string& of_mode) {
  std::vector<size_t> out;
  for (const size_t row : rows_where(s, "cell", cell))
    if (texts(s, "mode")[row] == of_mode) out.push_back(row);
  return out;
}

double mean_over(const Table& table, const std::string& column, const std::vector<size_t>& rows) {
  double sum = 0;
  for (const double value : picked(table, column, rows)) sum += value;
  return rows.empty() ? std::nan("") : sum / static_cast<double>(rows.size());
}

std::vector<AnalysisView> analysis_views(const ResultFile& results) {
  const auto filled = [&](const char* name) {
    const Table* t = find_table(results.tables, name);
    return t && t->rows() > 0 ? t : nullptr;
  };
  std::vector<AnalysisView> out;
  if (const Table* facts = filled("/layer_facts")) {
    out.push_back(layers_by_role(*facts, results.table("/layer_errors")));
    out.push_back(worst_layers(*facts, results.table("/layer_errors")));
  }
  if (const Table* s = filled("/sensitivity"))
    for (const auto& [cell, rows] : rows_by(*s, "cell")) out.push_back(sensitivity_view(*s, cell));
  if (const Table* s = filled("/spectrum_energy")) out.push_back(spectrum_view(*s));
  if (const Table* o = filled("/outlier_rank")) out.push_back(outlier_view(*o));
  if (const Table* ranges = filled("/timestep_ranges")) {
    out.push_back(step_view(results.table("/trajectory"), results.table("/layer_steps"), *ranges));
    out.push_back(drift_view(*ranges));
  }
  return out;
}

std::string analysis_caption(const ResultFile& results) {
  const Value config = parse_yaml(results.config_yaml, "config");
  const auto at = [&](const char* map, const char* key) {
    const Value* parent = config.find(map);
    const Value* v = parent ? parent->find(key) : nullptr;
    return v ? v->scalar : std::string();
  };
  const Value* model = config.find("model");
  return concat("Analysis ", at("analysis", "name"), " of ", model ? model->scalar : "", " (SHA-256 ",
                results.model_sha256.substr(0, 12), "): ", at("protocol", "steps"),
                " Euler steps; calibration ", at("calibration", "pairs"), " (item, step) pairs, seed ",
                at("calibration", "seed"), ".");
}

std::string analysis_text(const ResultFile& results) {
  std::string out;
  for (const AnalysisView& view : analysis_views(results)) {
    if (out.empty()) out = "\n" + analysis_caption(results) + "\n";
    out += "\n" + report::to_terminal(view.table, {.caption = view.title + ". " + view.caption});
  }
  return out;
}

void write_analysis_tables(const std::string& folder, const ResultFile& results) {
  for (const Table& empty : analysis_tables())
    if (const Table* table = find_table(results.tables, empty.name))
      write_file(folder + "/tables" + table->name + ".csv", report::to_csv(*table));
}

}  // namespace svdlab
