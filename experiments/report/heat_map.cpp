#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/error.h"
#include "experiments/report/axis.h"
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

struct Cell {
  double x, y, width, height;
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

}  // namespace

std::string heat_map(const std::vector<std::string>& rows, const std::vector<std::string>& columns,
                     const std::vector<double>& values, const std::string& value_label,
                     const ChartOptions& options) {
  SVDLAB_REQUIRE(values.size() == rows.size() * columns.size(), Errc::kConfig, "a heat map of ", rows.size(),
                 " x ", columns.size(), " cells got ", values.size(), " values");
  Range range;
  range.add(values, options.log_y);
  const Scale color(range, options.log_y, 0, 1);

  const double left = (options.y_label.empty() ? 8 : 26) + widest(rows) + 8, right_room = 74, top = 30;
  const double n_rows = static_cast<double>(std::max<size_t>(rows.size(), 1));
  const double n_columns = static_cast<double>(std::max<size_t>(columns.size(), 1));
  const double cell_w = std::max((options.width - left - right_room) / n_columns, 5.0);
  const bool slanted = widest(columns) + 6 > cell_w;
  const double foot = (slanted ? 14 + widest(columns) * 0.6 : 22) + (options.x_label.empty() ? 4 : 20);
  const double cell_h = std::clamp((options.height - top - foot) / n_rows, 13.0, 34.0);
  const double width = left + cell_w * n_columns + right_room, height = top + cell_h * n_rows + foot;

  const std::vector<std::string> shown = display_cells({"", "", values});
  Canvas canvas(width, height, options.title);
  for (size_t r = 0; r < rows.size(); ++r) {
    const double y = top + static_cast<double>(r) * cell_h;
    canvas.text(left - 8, y + cell_h / 2 + 4, Anchor::kEnd, rows[r]);
    for (size_t c = 0; c < columns.size(); ++c) {
      const double v = values[r * columns.size() + c];
      const Cell cell{left + static_cast<double>(c) * cell_w, y, cell_w - 1, cell_h - 1};
      draw_cell(canvas, cell, v, shown[r * columns.size() + c], color,
                concat(rows[r], " · ", columns[c], ": ", short_number(v)));
    }
  }
  const double bottom = top + cell_h * n_rows;
  const auto every = static_cast<size_t>(std::ceil(slanted ? 15 / cell_w : 1));
  for (size_t c = 0; c < columns.size(); c += every) {
    const double x = left + (static_cast<double>(c) + 0.5) * cell_w;
    canvas.text(slanted ? x + 4 : x, bottom + 15, slanted ? Anchor::kEnd : Anchor::kMiddle, columns[c], "",
                slanted ? -36 : 0);
  }
  const std::string ink = concat("fill:", kInk);
  if (!options.x_label.empty())
    canvas.text(left + cell_w * n_columns / 2, height - 6, Anchor::kMiddle, options.x_label, ink);
  if (!options.y_label.empty())
    canvas.text(16, (top + bottom) / 2, Anchor::kMiddle, options.y_label, ink, -90);
  draw_key(canvas, color, left + cell_w * n_columns + 12, top, std::max(cell_h * n_rows - 1, 60.0),
           value_label);
  return canvas.finish();
}

}  // namespace svdlab::report
