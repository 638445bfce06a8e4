#include "experiments/tables/report_charts.h"

#include <algorithm>
#include <cmath>

#include "core/io/yaml.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/report_names.h"

namespace svdlab {
namespace {

/// Mean output SQNR of a cell's layers, one value for each block.
std::vector<double> sqnr_by_block(const Table& layers, const std::string& cell,
                                  const std::vector<std::string>& blocks) {
  std::vector<double> sums(blocks.size(), 0), counts(blocks.size(), 0);
  for (const size_t row : rows_where(layers, "cell", cell)) {
    const auto block = std::find(blocks.begin(), blocks.end(), texts(layers, "block")[row]) - blocks.begin();
    sums[block] += numbers(layers, "output_sqnr_db")[row];
    ++counts[block];
  }
  for (size_t i = 0; i < sums.size(); ++i) sums[i] /= counts[i];  // 0 / 0: a gap
  return sums;
}

/// Cells that differ in nothing but the rank: name of the set -> rank -> row of /cells.
std::map<std::string, std::map<int64_t, size_t>> cells_by_recipe(const ResultFile& results) {
  const Value config = parse_yaml(results.config_yaml, "config");
  const Table& cells = results.table("/cells");
  std::map<std::pair<std::string, std::string>, std::map<int64_t, size_t>>
      sets;  // by scheme and rest of the recipe
  for (const auto& [scheme, rows] : cells_by_scheme(cells))
    for (const size_t row : rows) {
      const Value* methods = config.find("methods");
      const Value* method = methods ? methods->find(texts(cells, "method")[row]) : nullptr;
      if (method == nullptr) continue;
      Value rest = *method;
      rest.at_or_add("low_rank").at_or_add("rank") = Value::integer(0);
      sets[{scheme, rest.canonical_json()}].emplace(integers(cells, "rank")[row], row);
    }
  std::map<std::string, std::map<int64_t, size_t>> out;
  for (const auto& [key, by_rank] : sets)
    if (by_rank.size() > out[key.first].size()) out[key.first] = by_rank;
  return out;
}

}  // namespace

CellSets cells_by_scheme(const Table& cells) {
  CellSets out;
  for (size_t i = 0; i < cells.rows(); ++i) {
    if (texts(cells, "status")[i] != "ok") continue;
    std::string key = texts(cells, "scheme")[i];
    if (const std::string& dial = texts(cells, "outliers")[i]; !dial.empty()) key += " + " + dial;
    const auto found =
        std::find_if(out.begin(), out.end(), [&](const auto& entry) { return entry.first == key; });
    if (found == out.end())
      out.push_back({key, {i}});
    else
      found->second.push_back(i);
  }
  return out;
}

CellSets cells_by_chart(const Table& cells) {
  constexpr size_t kFew = 2, kMost = 8;
  CellSets out;
  bool open = false;  // the last set may grow
  for (const auto& [scheme, rows] : cells_by_scheme(cells)) {
    const bool few = rows.size() <= kFew;
    const auto& outliers = texts(cells, "outliers");
    if (open && few && outliers[out.back().second.front()] == outliers[rows.front()] &&
        out.back().second.size() + rows.size() <= kMost) {
      out.back().first += ", " + scheme;
      out.back().second.insert(out.back().second.end(), rows.begin(), rows.end());
    } else {
      out.emplace_back(scheme, rows);
      open = few;
    }
  }
  return out;
}

void add_block_charts(report::HtmlPage& page, const ResultFile& results) {
  const Table &cells = results.table("/cells"), &layers = results.table("/layers");
  if (layers.rows() == 0) return;
  const std::vector<std::string> blocks = distinct(texts(layers, "block"));
  std::vector<std::string> labels;
  for (const std::string& block : blocks) labels.push_back(short_block(block));
  page.section("Error of the layers, by block");
  page.paragraph(
      "Every quantized layer is evaluated on the inputs that the 16-bit run gave it (first items, all "
      "steps), so errors of "
      "earlier layers do not add up here. Bars: mean over the layers of a block of 20 log10(||y|| / ||y - "
      "y_q||), higher "
      "is better. Single layers are in /layers and /layer_steps of results.h5.");
  for (const auto& [scheme, rows] : cells_by_chart(cells)) {
    std::vector<report::BarSeries> series;
    for (const size_t row : rows) {
      const std::string& cell = texts(cells, "cell")[row];
      series.push_back({.name = cell, .values = sqnr_by_block(layers, cell, blocks)});
    }
    page.chart(report::bar_chart(labels, series,
                                 {.title = "Output SQNR by block, " + scheme, .y_label = "output SQNR (dB)"}),
               scheme + ": mean output SQNR of the layers of each block, from /layers.");
  }
}

void add_step_charts(report::HtmlPage& page, const ResultFile& results) {
  const Table &cells = results.table("/cells"), &trajectory = results.table("/trajectory");
  if (trajectory.rows() == 0) return;
  page.section("Error along sampling");
  page.paragraph(
      "Distance of the quantized run's latents from those of the 16-bit run after each step, relative to the "
      "latter, over "
      "all items: here errors of layers and steps add up.");
  for (const auto& [scheme, cell_rows] : cells_by_chart(cells)) {
    std::vector<report::Series> series;
    for (const size_t cell_row : cell_rows) {
      report::Series line{.name = texts(cells, "cell")[cell_row]};
      for (const size_t row : rows_where(trajectory, "cell", line.name)) {
        line.x.push_back(static_cast<double>(integers(trajectory, "step")[row]));
        line.y.push_back(numbers(trajectory, "latent_rel_error")[row]);
      }
      series.push_back(std::move(line));
    }
    page.chart(report::line_chart(series, {.title = "Latent error by step, " + scheme,
                                           .x_label = "sampling step",
                                           .y_label = "||x - x_q|| / ||x||"}),
               scheme + ": relative error of the latents after each step, from /trajectory.");
  }
}

void add_spectrum_charts(report::HtmlPage& page, const ResultFile& results) {
  const Table& spectra = results.table("/spectra");
  if (spectra.rows() == 0) return;
  page.section("Singular values");
  page.paragraph(
      "The largest singular values of weights before and after smoothing multiplies their columns, cell " +
      texts(spectra, "cell")[0] +
      ". What smoothing moves from the activations into the weight should show as a few larger values, which "
      "a "
      "low-rank branch can take.");
  for (const std::string& layer : distinct(texts(spectra, "layer"))) {
    report::Series before{.name = "weight"}, after{.name = "smoothed weight"};
    for (const size_t row : rows_where(spectra, "layer", layer)) {
      const double index = static_cast<double>(integers(spectra, "index")[row] + 1);
      before.x.push_back(index), before.y.push_back(numbers(spectra, "before")[row]);
      after.x.push_back(index), after.y.push_back(numbers(spectra, "after")[row]);
    }
    page.chart(report::line_chart({before, after}, {.title = "Singular values of " + layer,
                                                    .x_label = "index",
                                                    .y_label = "singular value",
                                                    .log_y = true,
                                                    .height = 260}),
               layer + ", from /spectra.");
  }
}

void add_rank_chart(report::HtmlPage& page, const ResultFile& results) {
  const Table& cells = results.table("/cells");
  std::vector<report::Series> sqnr, psnr;
  for (const auto& [name, by_rank] : cells_by_recipe(results)) {
    if (by_rank.size() < 3) continue;
    report::Series s{.name = name}, p{.name = name};
    for (const auto& [rank, row] : by_rank) {
      s.x.push_back(static_cast<double>(rank)), s.y.push_back(numbers(cells, "output_sqnr_db")[row]);
      p.x.push_back(static_cast<double>(rank)), p.y.push_back(numbers(cells, "psnr_db")[row]);
      p.lo.push_back(numbers(cells, "psnr_lo_db")[row]), p.hi.push_back(numbers(cells, "psnr_hi_db")[row]);
    }
    sqnr.push_back(std::move(s)), psnr.push_back(std::move(p));
  }
  if (sqnr.empty()) return;
  page.section("Error against rank");
  page.chart(report::line_chart(
                 sqnr, {.title = "Output SQNR by rank", .x_label = "rank", .y_label = "output SQNR (dB)"}),
             "Mean output SQNR over layers against the rank of the low-rank branch, from /cells.");
  page.chart(report::line_chart(psnr, {.title = "PSNR by rank", .x_label = "rank", .y_label = "PSNR (dB)"}),
             "Mean PSNR of the pictures with its 95 % interval against the rank, from /cells.");
}

void add_outlier_chart(report::HtmlPage& page, const ResultFile& results) {
  const Table& outliers = results.table("/outliers");
  const std::vector<std::string> references = distinct(texts(outliers, "cell"));
  if (references.empty()) return;
  const std::vector<std::string> groups = distinct(texts(outliers, "group"));
  std::vector<report::BarSeries> series;
  for (const std::string& reference : references) {
    report::BarSeries bars{.name = reference};
    for (const size_t row : rows_where(outliers, "cell", reference))
      bars.values.push_back(numbers(outliers, "max_over_median_absmax")[row]);
    series.push_back(std::move(bars));
  }
  page.section("Outliers in the inputs");
  page.chart(
      report::bar_chart(
          groups, series,
          {.title = "Largest over median channel magnitude", .y_label = "max / median", .log_y = true}),
      "Largest over median channel magnitude of the input of each group of layers, in calibration; from "
      "/outliers.");
}

}  // namespace svdlab
