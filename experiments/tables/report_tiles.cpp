#include <algorithm>
#include <cmath>
#include <optional>

#include "core/base/error.h"
#include "core/io/yaml.h"
#include "experiments/report/text.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/report_charts.h"
#include "experiments/tables/report_names.h"

namespace svdlab {
namespace {

using Tile = std::pair<std::string, std::string>;

std::optional<Tile> best_cell(const Table& cells) {
  const std::vector<double>& psnr = numbers(cells, "psnr_db");
  std::optional<size_t> best;
  for (size_t i = 0; i < cells.rows(); ++i)
    if (texts(cells, "status")[i] == "ok" && !std::isnan(psnr[i]) && (!best || psnr[i] > psnr[*best]))
      best = i;
  if (!best) return std::nullopt;
  return Tile{report::fixed(psnr[*best], 2) + " dB",
              concat("highest mean PSNR: ", texts(cells, "cell")[*best], ", 95 % [",
                     report::fixed(numbers(cells, "psnr_lo_db")[*best], 2), ", ",
                     report::fixed(numbers(cells, "psnr_hi_db")[*best], 2), "], from /cells")};
}

Tile cell_count(const Table& cells) {
  const std::vector<std::string>& status = texts(cells, "status");
  const auto done = std::count(status.begin(), status.end(), "ok");
  const auto without = std::count_if(status.begin(), status.end(),
                                     [](const std::string& s) { return s == "skipped" || s == "failed"; });
  const std::string rest =
      without == 0 ? "" : concat("; ", without, " without, for the reasons under the table");
  return {std::to_string(done), "cells with results, from /cells" + rest};
}

Tile item_count(const ResultFile& results) {
  const std::vector<int64_t>& n = integers(results.table("/cells"), "n");
  const Value config = parse_yaml(results.config_yaml, "config");
  const Value* protocol = config.find("protocol");
  const Value* steps = protocol ? protocol->find("steps") : nullptr;
  return {concat(n.empty() ? 0 : *std::max_element(n.begin(), n.end()), " × ", steps ? steps->scalar : "?"),
          "items × sampling steps, from /cells and /config"};
}

}  // namespace

void add_tiles(report::HtmlPage& page, const ResultFile& results) {
  const Table& cells = results.table("/cells");
  std::vector<Tile> tiles;
  if (const auto best = best_cell(cells)) tiles.push_back(*best);
  tiles.push_back(cell_count(cells));
  tiles.push_back(item_count(results));
  tiles.emplace_back(std::to_string(distinct(texts(results.table("/layers"), "layer")).size()),
                     "quantized layers, from /layers");
  page.figures(tiles);
}

}  // namespace svdlab
