#include "experiments/tables/report_analysis.h"

#include <algorithm>
#include <map>

#include "experiments/report/svg.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/analysis_views.h"
#include "experiments/tables/row_math.h"

namespace svdlab {
namespace {

constexpr size_t kBars = 20;

/// Bars of the parts that cost most, alone and left out.
void add_sensitivity_charts(report::HtmlPage& page, const Table& s) {
  for (const auto& [cell, unused] : rows_by(s, "cell")) {
    std::vector<size_t> rows = sensitivity_rows(s, cell, "only");
    rows.resize(std::min(rows.size(), kBars));
    std::vector<std::string> units;
    report::BarSeries alone{.name = "latent error, quantized alone"};
    for (const size_t row : rows) {
      units.push_back(texts(s, "unit")[row]);
      alone.values.push_back(numbers(s, "latent_rel_error")[row]);
      alone.lo.push_back(numbers(s, "latent_lo")[row]), alone.hi.push_back(numbers(s, "latent_hi")[row]);
    }
    page.chart(report::bar_chart(units, {alone},
                                 {.title = "Error of the final latents with one part quantized, " + cell,
                                  .y_label = "||x - x_q|| / ||x||"}),
               cell +
                   ": one part in low bits, everything else in 16 bit; with 95 % intervals, from "
                   "/sensitivity.");
    std::vector<size_t> left_out = sensitivity_rows(s, cell, "all-but");
    left_out.resize(std::min(left_out.size(), kBars));
    report::BarSeries gain{.name = "PSNR gain, left out"};
    for (const size_t row : left_out) {
      gain.values.push_back(numbers(s, "psnr_gain_db")[row]);
      gain.lo.push_back(numbers(s, "psnr_gain_lo_db")[row]);
      gain.hi.push_back(numbers(s, "psnr_gain_hi_db")[row]);
    }
    page.chart(report::bar_chart(units, {gain},
                                 {.title = "PSNR gained by leaving one part in 16 bit, " + cell,
                                  .y_label = "PSNR gain (dB)"}),
               cell +
                   ": everything else in low bits; paired with the fully quantized model, from "
                   "/sensitivity.");
  }
}

/// Means over the branches of one role against the rank.
report::Series by_rank(const Table& t, const std::vector<size_t>& rows, const std::string& column,
                       const std::string& name) {
  std::map<int64_t, std::vector<size_t>> at;
  for (const size_t row : rows) at[integers(t, "rank")[row]].push_back(row);
  report::Series out{.name = name};
  for (const auto& [rank, of_rank] : at) {
    out.x.push_back(static_cast<double>(rank));
    out.y.push_back(mean_over(t, column, of_rank));
  }
  return out;
}

/// One chart a cell and role with a line for each of `lines` (column, name).
void add_rank_charts(report::HtmlPage& page, const Table& t,
                     const std::vector<std::pair<const char*, const char*>>& lines,
                     report::ChartOptions options, const std::string& caption) {
  const std::string title = options.title;
  for (const auto& [cell, cell_rows] : rows_by(t, "cell"))
    for (const auto& [role, role_rows] : rows_by(t, "role")) {
      std::vector<size_t> rows;
      std::set_intersection(cell_rows.begin(), cell_rows.end(), role_rows.begin(), role_rows.end(),
                            std::back_inserter(rows));
      if (rows.empty()) continue;
      std::vector<report::Series> series;
      for (const auto& [column, name] : lines) series.push_back(by_rank(t, rows, column, name));
      options.title = title + ", " + role + ", " + cell;
      page.chart(report::line_chart(series, options), role + ", " + cell + ": " + caption);
    }
}

void add_error_charts(report::HtmlPage& page, const Table& errors) {
  const auto cells = rows_by(errors, "cell");
  if (cells.empty()) return;
  std::vector<report::Series> series;
  for (const auto& [cell, rows] : cells) {
    report::Series points{.name = cell, .connected = false};
    for (const size_t row : rows) {
      points.x.push_back(numbers(errors, "weight_sqnr_db")[row]);
      points.y.push_back(numbers(errors, "output_sqnr_db")[row]);
    }
    series.push_back(std::move(points));
  }
  page.chart(report::line_chart(series, {.title = "Weight error against output error",
                                         .x_label = "weight SQNR (dB)",
                                         .y_label = "output SQNR (dB)"}),
             "Each mark is a layer, from /layer_errors. Below the diagonal the quantized inputs or channels "
             "that matter more than others cost more than the weights alone.");
}

void add_range_chart(report::HtmlPage& page, const Table& ranges) {
  report::HeatMap map{.value_label = "absmax / its largest"};
  for (const auto& [group, rows] : rows_by(ranges, "group")) {
    map.rows.push_back(group);
    double top = 0;
    for (const size_t row : rows) top = std::max(top, numbers(ranges, "absmax")[row]);
    for (const size_t row : rows) {
      if (map.rows.size() == 1) map.columns.push_back(std::to_string(integers(ranges, "step")[row]));
      map.values.push_back(numbers(ranges, "absmax")[row] / top);
    }
  }
  page.chart(report::heat_map(map, {.title = "Input range by group and step", .x_label = "sampling step"}),
             "Largest magnitude of each group's input at each step over the largest of all steps, from "
             "/timestep_ranges: a row of one colour needs one static scale, others would waste most of it.");
}

void add_hidden_maps(report::HtmlPage& page, const Table& hidden) {
  for (const auto& [cell, cell_rows] : rows_by(hidden, "cell")) {
    report::HeatMap map{.value_label = "quantized / 16 bit"};
    for (const size_t row : cell_rows) {
      const std::string &state = texts(hidden, "state")[row],
                        step = std::to_string(integers(hidden, "step")[row]);
      if (map.rows.empty() || map.rows.back() != state) map.rows.push_back(state);
      if (map.rows.size() == 1) map.columns.push_back(step);
      map.values.push_back(numbers(hidden, "nuclear_norm")[row] /
                           numbers(hidden, "nuclear_norm_16_bit")[row]);
    }
    page.chart(
        report::heat_map(map, {.title = "Directions of hidden states, " + cell, .x_label = "sampling step"}),
        cell +
            ": Matrix Nuclear-Norm of the quantized model's hidden states over the 16-bit model's, "
            "from /hidden_states.");
  }
}

}  // namespace

void add_analyses(report::HtmlPage& page, const ResultFile& results) {
  const std::vector<AnalysisView> views = analysis_views(results);
  for (size_t i = 0; i < views.size(); ++i) {
    page.section(views[i].title);
    if (i == 0) page.paragraph(analysis_caption(results));
    page.paragraph(views[i].caption);
    page.table(views[i].table);
  }
  if (views.empty()) return;
  if (const Table* t = find_table(results.tables, "/layer_errors")) add_error_charts(page, *t);
  if (const Table* t = find_table(results.tables, "/sensitivity")) add_sensitivity_charts(page, *t);
  if (const Table* t = find_table(results.tables, "/spectrum_energy"))
    add_rank_charts(
        page, *t, {{"weight", "weight"}, {"smoothed", "smoothed weight"}, {"error", "quantization error"}},
        {.title = "Energy captured by rank", .x_label = "rank", .y_label = "share", .log_x = true},
        "mean over branches, from /spectrum_energy.");
  if (const Table* t = find_table(results.tables, "/outlier_rank"))
    add_rank_charts(page, *t, {{"weight_ratio", "weight"}, {"smoothed_weight_ratio", "smoothed weight"}},
                    {.title = "Largest over median channel by rank taken out",
                     .x_label = "rank",
                     .y_label = "max / median of channels"},
                    "mean over branches, from /outlier_rank.");
  if (const Table* t = find_table(results.tables, "/timestep_ranges")) add_range_chart(page, *t);
  if (const Table* t = find_table(results.tables, "/hidden_states")) add_hidden_maps(page, *t);
}

}  // namespace svdlab
