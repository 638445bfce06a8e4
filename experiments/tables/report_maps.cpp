#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "core/base/error.h"
#include "experiments/report/text.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/report_charts.h"
#include "experiments/tables/report_names.h"

namespace svdlab {
namespace {

// Above so many rows a map shows the mean of each block instead of every layer.
constexpr size_t kMostRows = 200;
constexpr size_t kMostExponents = 64;
const double kNan = std::numeric_limits<double>::quiet_NaN();

size_t index_of(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

/// Layer -> row of the map, and the names of the rows.
struct LayerRows {
  std::vector<std::string> names;
  std::map<std::string, size_t> of_layer;
  bool blocks = false;
};

LayerRows layer_rows(const Table& layers) {
  LayerRows out;
  const std::vector<std::string> all = distinct(texts(layers, "layer"));
  out.blocks = all.size() > kMostRows;
  std::map<std::string, std::string> block_of;
  for (size_t i = 0; i < layers.rows(); ++i)
    block_of.emplace(texts(layers, "layer")[i], texts(layers, "block")[i]);
  std::vector<std::string> keys;
  for (const std::string& layer : all) {
    const std::string& block = block_of[layer];
    const std::string key = out.blocks ? block : layer;
    if (index_of(keys, key) == keys.size()) {
      keys.push_back(key);
      out.names.push_back(out.blocks ? short_block(block) : short_layer(layer, block));
    }
    out.of_layer[layer] = index_of(keys, key);
  }
  return out;
}

/// Means of the cell's values, row by row and step by step; NaN where it has none.
std::vector<double> step_values(const Table& steps, const std::string& cell, const LayerRows& rows,
                                size_t columns) {
  std::vector<double> sums(rows.names.size() * columns, 0), counts(sums.size(), 0);
  for (const size_t i : rows_where(steps, "cell", cell)) {
    const auto row = rows.of_layer.find(texts(steps, "layer")[i]);
    const auto step = static_cast<size_t>(integers(steps, "step")[i]);
    if (row == rows.of_layer.end() || step >= columns) continue;
    sums[row->second * columns + step] += numbers(steps, "output_sqnr_db")[i];
    ++counts[row->second * columns + step];
  }
  for (size_t i = 0; i < sums.size(); ++i) sums[i] /= counts[i];  // 0 / 0: not quantized in this cell
  return sums;
}

using Exponents = std::pair<double, double>;  // beta, alpha: sorts as the map's rows and columns
using Landscape = std::map<Exponents, double>;

struct Search {
  Landscape ratio;  ///< error over the smallest of the group
  Exponents chosen{kNan, kNan};
};

Search search_of(const Table& t, const std::vector<size_t>& rows) {
  double smallest = kNan;
  for (const size_t i : rows)
    if (const double e = numbers(t, "error")[i]; e > 0 && !(smallest <= e)) smallest = e;
  Search out;
  for (const size_t i : rows) {
    const Exponents at{numbers(t, "beta")[i], numbers(t, "alpha")[i]};
    out.ratio[at] = numbers(t, "error")[i] / smallest;
    if (integers(t, "chosen")[i] != 0) out.chosen = at;
  }
  return out;
}

Search mean_over(const std::vector<Search>& groups) {
  std::map<Exponents, std::vector<double>> all;
  for (const Search& s : groups)
    for (const auto& [at, ratio] : s.ratio)
      if (std::isfinite(ratio) && ratio > 0) all[at].push_back(std::log(ratio));
  Search out;
  for (const auto& [at, logs] : all) {
    double sum = 0;
    for (const double v : logs) sum += v;
    out.ratio[at] = std::exp(sum / static_cast<double>(logs.size()));
  }
  return out;
}

/// The rows and columns of every map: all betas from the largest, all alphas from the smallest.
struct Axes {
  std::vector<double> betas, alphas;

  report::HeatMaps::Choice choice(const std::string& group, const std::string& name, const Search& s) const {
    report::HeatMaps::Choice out{group, name, {}, -1};
    for (const double beta : betas)
      for (const double alpha : alphas) {
        const auto found = s.ratio.find({beta, alpha});
        if (s.chosen == Exponents(beta, alpha)) out.marked = static_cast<int64_t>(out.values.size());
        out.values.push_back(found == s.ratio.end() ? kNan : found->second);
      }
    return out;
  }
};

std::vector<std::string> number_names(const std::vector<double>& values) {
  std::vector<std::string> out;
  for (const double v : values) out.push_back(report::short_number(v));
  return out;
}

Axes axes_of(const Table& t) {
  const std::set<double> alphas(numbers(t, "alpha").begin(), numbers(t, "alpha").end()),
      betas(numbers(t, "beta").begin(), numbers(t, "beta").end());
  return {{betas.rbegin(), betas.rend()}, {alphas.begin(), alphas.end()}};
}

std::vector<report::HeatMaps::Choice> search_choices(const Table& t, const Axes& axes) {
  std::vector<report::HeatMaps::Choice> out;
  for (const std::string& cell : distinct(texts(t, "cell"))) {
    std::map<std::string, std::vector<size_t>> rows;
    std::vector<std::string> order;
    for (const size_t i : rows_where(t, "cell", cell)) {
      const std::string& group = texts(t, "group")[i];
      if (rows[group].empty()) order.push_back(group);
      rows[group].push_back(i);
    }
    std::vector<Search> searches;
    for (const std::string& group : order) searches.push_back(search_of(t, rows[group]));
    if (searches.size() > 1)
      out.push_back(
          axes.choice(cell, concat("all ", searches.size(), " groups, geometric mean"), mean_over(searches)));
    for (size_t i = 0; i < order.size(); ++i) out.push_back(axes.choice(cell, order[i], searches[i]));
  }
  return out;
}

}  // namespace

void add_layer_step_map(report::HtmlPage& page, const ResultFile& results) {
  const Table &cells = results.table("/cells"), &steps = results.table("/layer_steps");
  if (steps.rows() == 0) return;
  const LayerRows rows = layer_rows(results.table("/layers"));
  const auto& numbers_of_steps = integers(steps, "step");
  const auto columns =
      static_cast<size_t>(*std::max_element(numbers_of_steps.begin(), numbers_of_steps.end())) + 1;
  report::HeatMaps maps{.rows = rows.names, .value_label = "dB", .what = "cell"};
  for (size_t c = 0; c < columns; ++c) maps.columns.push_back(std::to_string(c));
  for (const auto& [scheme, cell_rows] : cells_by_scheme(cells))
    for (const size_t row : cell_rows) {
      const std::string& cell = texts(cells, "cell")[row];
      maps.choices.push_back({scheme, cell, step_values(steps, cell, rows, columns), -1});
    }
  if (maps.choices.empty()) return;
  page.section("Error by layer and step");
  page.heat_maps(
      maps,
      {.title = "Output SQNR by layer and sampling step",
       .x_label = "sampling step (0 is the noisiest)",
       .y_label = rows.blocks ? "block" : "layer",
       .height = 460},
      concat(
          "Output SQNR of each quantized layer at each step on the 16-bit run's own inputs",
          rows.blocks ? " (mean over the layers of a block)" : "",
          ", higher is better; one scale of colours for all cells, so that they can be compared. Grey: not "
          "quantized in this cell. From /layer_steps."));
}

void add_search_map(report::HtmlPage& page, const ResultFile& results) {
  const Table* t = find_table(results.tables, "/search");
  if (t == nullptr || t->rows() == 0) return;
  page.section("Search for the smoothing");
  const Axes axes = axes_of(*t);
  if (axes.alphas.size() > kMostExponents || axes.betas.size() > kMostExponents) {
    page.paragraph(concat("Not drawn: ", axes.alphas.size(), " x ", axes.betas.size(),
                          " exponents are too many for a map; they are in /search."));
    return;
  }
  page.heat_maps(
      {.rows = number_names(axes.betas),
       .columns = number_names(axes.alphas),
       .value_label = "error / best",
       .what = "group",
       .sparse = true,
       .choices = search_choices(*t, axes)},
      {.title = "Search landscape: error of every candidate over the group's best",
       .x_label = "alpha, exponent of the largest input of a channel",
       .y_label = "beta, exponent of the largest weight",
       .log_y = true,
       .width = 820,
       .height = 560},
      "Smoothing divides input channel k by max|x_k|^alpha / max|w_k|^beta. Every cell is a candidate that "
      "the search scored through the rest of the recipe, coloured by its output error over the smallest of "
      "its group; the frame is the chosen one, an empty place was not tried. From /search.");
}

}  // namespace svdlab
