#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/error.h"
#include "experiments/report/svg.h"
#include "experiments/report/table_views.h"
#include "experiments/report/text.h"

namespace svdlab::report {
namespace {

using Rgb = std::array<double, 3>;

// Dark blue over teal to yellow, of steadily rising lightness: readable in grey and by colour-blind readers.
constexpr std::array<Rgb, 6> kStops = {Rgb{48, 18, 92},   Rgb{44, 82, 148},  Rgb{24, 132, 142},
                                       Rgb{62, 176, 110}, Rgb{168, 212, 70}, Rgb{250, 232, 92}};

Rgb color_at(double t) {
  const double at = std::clamp(t, 0.0, 1.0) * (kStops.size() - 1);
  const size_t i = std::min(static_cast<size_t>(at), kStops.size() - 2);
  Rgb out;
  for (size_t c = 0; c < 3; ++c)
    out[c] = kStops[i][c] + (at - static_cast<double>(i)) * (kStops[i + 1][c] - kStops[i][c]);
  return out;
}

std::string css(const Rgb& c) {
  return concat("rgb(", fixed(c[0], 0), ",", fixed(c[1], 0), ",", fixed(c[2], 0), ")");
}

const char* ink_on(const Rgb& c) {
  return 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2] > 140 ? "#10151d" : "#ffffff";
}

double widest(const std::vector<std::string>& texts) {
  double w = 0;
  for (const std::string& t : texts) w = std::max(w, text_pixels(t));
  return w;
}

void draw_key(Canvas& canvas, const Scale& color, double x, double top, double height,
              const std::string& label) {
  constexpr int kSteps = 48;
  for (int i = 0; i < kSteps; ++i)
    canvas.rect(x, top + height * (kSteps - 1 - i) / kSteps, 12, height / kSteps + 0.5,
                concat("fill:", css(color_at((i + 0.5) / kSteps))));
  for (const Tick& t : color.ticks(5))
    canvas.text(x + 18, top + height * (1 - color.at(t.value)) + 4, Anchor::kStart, t.label);
  canvas.text(x, top - 10, Anchor::kStart, label, concat("fill:", kInk));
}

constexpr const char* kEmptyPlace = "var(--panel,#f5f6f9)";

struct Cell {
  double x, y, width, height;
};

// Cells of equal size, and the rows and columns they stand for.
struct Grid {
  double left, top, cell_w, cell_h;
  Cell at(size_t row, size_t column) const {
    return {left + static_cast<double>(column) * cell_w, top + static_cast<double>(row) * cell_h, cell_w - 1,
            cell_h - 1};
  }
};

void draw_missing(Canvas& canvas, const Cell& c, const std::string& tip) {
  canvas.rect(c.x, c.y, c.width, c.height, concat("fill:", kGrid), tip);
  canvas.line(c.x, c.y + c.height, c.x + c.width, c.y, concat("stroke:", kMuted));
}

void draw_cell(Canvas& canvas, const Cell& c, double v, const std::string& shown, const Scale& color,
               const std::string& tip) {
  if (!color.shows(v) && !std::isinf(v)) return draw_missing(canvas, c, tip);
  const Rgb rgb = color_at(std::isinf(v) ? (v > 0 ? 1.0 : 0.0) : color.at(v));
  canvas.rect(c.x, c.y, c.width, c.height, concat("fill:", css(rgb)), tip);
  const std::string text = std::isinf(v) ? (v > 0 ? "∞" : "-∞") : shown;
  if (c.height >= 14 && text_pixels(text) + 4 <= c.width)
    canvas.text(c.x + c.width / 2, c.y + c.height / 2 + 4, Anchor::kMiddle, text,
                concat("fill:", ink_on(rgb)));
}

// What the page's script needs to colour the cells as this file does.
std::string palette(const Range& range, bool log, bool sparse) {
  std::string stops;
  for (const Rgb& c : kStops)
    stops += concat(stops.empty() ? "" : ";", fixed(c[0], 0), ",", fixed(c[1], 0), ",", fixed(c[2], 0));
  return concat("data-stops=\"", stops, "\" data-lo=\"", shortest(range.lo), "\" data-hi=\"",
                shortest(range.hi), "\" data-log=\"", log ? 1 : 0, "\" data-sparse=\"", sparse ? 1 : 0, "\"");
}

// One element a cell, whatever its value.
void draw_plain_cells(Canvas& canvas, const HeatMap& map, const Grid& grid, const Range& range,
                      const ChartOptions& options) {
  const Scale color(range, options.log_y, 0, 1);
  canvas.open_group(palette(range, options.log_y, map.sparse));
  for (size_t i = 0; i < map.values.size(); ++i) {
    const size_t r = i / map.columns.size(), column = i % map.columns.size();
    const Cell c = grid.at(r, column);
    const double v = map.values[i];
    std::string style = concat("fill:", color.shows(v) ? css(color_at(color.at(v)))
                                        : map.sparse   ? kEmptyPlace
                                                       : kGrid);
    if (static_cast<int64_t>(i) == map.marked) style += concat(";stroke:", kInk, ";stroke-width:2");
    canvas.rect(c.x, c.y, c.width, c.height, style,
                concat(map.rows[r], " · ", map.columns[column], ": ", short_number(v)));
  }
  canvas.close_group();
}

void draw_cells(Canvas& canvas, const HeatMap& map, const Grid& grid, const Scale& color) {
  const std::vector<std::string> shown = display_cells({"", "", map.values});
  for (size_t i = 0; i < map.values.size(); ++i) {
    const size_t r = i / map.columns.size(), column = i % map.columns.size();
    const Cell c = grid.at(r, column);
    if (map.sparse && std::isnan(map.values[i])) continue;
    draw_cell(canvas, c, map.values[i], shown[i], color,
              concat(map.rows[r], " · ", map.columns[column], ": ", short_number(map.values[i])));
    if (static_cast<int64_t>(i) == map.marked)
      canvas.rect(c.x, c.y, c.width, c.height, concat("fill:none;stroke:", kInk, ";stroke-width:2"));
  }
}

void draw_column_names(Canvas& canvas, const HeatMap& map, const Grid& grid, double bottom, bool slanted) {
  const auto every = static_cast<size_t>(std::ceil(slanted ? 15 / grid.cell_w : 1));
  for (size_t c = 0; c < map.columns.size(); c += every) {
    const double x = grid.left + (static_cast<double>(c) + 0.5) * grid.cell_w;
    canvas.text(slanted ? x + 4 : x, bottom + 15, slanted ? Anchor::kEnd : Anchor::kMiddle, map.columns[c],
                "", slanted ? -36 : 0);
  }
}

}  // namespace

std::string heat_map(const HeatMap& map, const ChartOptions& options) {
  SVDLAB_REQUIRE(map.values.size() == map.rows.size() * map.columns.size(), Errc::kConfig, "a heat map of ",
                 map.rows.size(), " x ", map.columns.size(), " cells got ", map.values.size(), " values");
  Range range = map.range;
  if (range.empty) range.add(map.values, options.log_y);
  const Scale color(range, options.log_y, 0, 1);

  const double left = (options.y_label.empty() ? 8 : 26) + widest(map.rows) + 8, top = 30;
  const double right_room = std::max(74.0, 20 + text_pixels(map.value_label));
  const double n_rows = static_cast<double>(std::max<size_t>(map.rows.size(), 1));
  const double n_columns = static_cast<double>(std::max<size_t>(map.columns.size(), 1));
  const double cell_w = std::max((options.width - left - right_room) / n_columns, 5.0);
  const bool slanted = widest(map.columns) + 6 > cell_w;
  const double foot = (slanted ? 14 + widest(map.columns) * 0.6 : 22) + (options.x_label.empty() ? 4 : 20);
  const double cell_h = std::clamp((options.height - top - foot) / n_rows, 13.0, 34.0);
  const Grid grid{left, top, cell_w, cell_h};
  const double right = left + cell_w * n_columns, bottom = top + cell_h * n_rows, height = bottom + foot;

  Canvas canvas(right + right_room, height, options.title);
  for (size_t r = 0; r < map.rows.size(); ++r)
    canvas.text(left - 8, grid.at(r, 0).y + cell_h / 2 + 4, Anchor::kEnd, map.rows[r]);
  if (map.one_of_several)
    draw_plain_cells(canvas, map, grid, range, options);
  else
    draw_cells(canvas, map, grid, color);
  draw_column_names(canvas, map, grid, bottom, slanted);
  const std::string ink = concat("fill:", kInk);
  if (!options.x_label.empty())
    canvas.text((left + right) / 2, height - 6, Anchor::kMiddle, options.x_label, ink);
  if (!options.y_label.empty())
    canvas.text(16, (top + bottom) / 2, Anchor::kMiddle, options.y_label, ink, -90);
  draw_key(canvas, color, right + 12, top, std::max(cell_h * n_rows - 1, 60.0), map.value_label);
  return canvas.finish();
}

}  // namespace svdlab::report
