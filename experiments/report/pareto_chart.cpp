#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "experiments/report/svg.h"

namespace svdlab::report {
namespace {

constexpr double kRadius = 4.2, kLabelHeight = 14;

bool finite(const ParetoPoint& p) { return std::isfinite(p.x) && std::isfinite(p.y); }

struct Box {
  double left, top, right, bottom;
  bool meets(const Box& o) const {
    return left < o.right && o.left < right && top < o.bottom && o.top < bottom;
  }
};

struct Drawing {
  Canvas& canvas;
  const Scale &x, &y;
  const Plot& plot;
  std::vector<Box> taken;  // where no label may go
};

Box around(double x, double y, double r) { return {x - r, y - r, x + r, y + r}; }

void draw_whisker(Drawing& d, const ParetoPoint& p, const std::string& color) {
  if (!d.y.shows(p.lo) || !d.y.shows(p.hi)) return;
  const double x = d.x.at(p.x), lo = d.y.at(p.lo), hi = d.y.at(p.hi);
  const std::string style = concat("stroke:", color, ";stroke-width:1.3;opacity:.55");
  d.canvas.line(x, lo, x, hi, style);
  for (const double end : {lo, hi}) d.canvas.line(x - 3.5, end, x + 3.5, end, style);
}

std::string tooltip(const ParetoPoint& p, const ChartOptions& options) {
  return concat(p.label, ": ", short_number(p.x), " ", options.x_label, ", ", short_number(p.y), " [",
                short_number(p.lo), ", ", short_number(p.hi), "] ", options.y_label);
}

void draw_points(Drawing& d, const ParetoSeries& s, size_t index, const ChartOptions& options) {
  const std::string color = series_color(index);
  for (const ParetoPoint& p : s.points) {
    if (!d.x.shows(p.x) || !d.y.shows(p.y)) continue;
    draw_whisker(d, p, color);
    const double x = d.x.at(p.x), y = d.y.at(p.y);
    d.canvas.path(marker_path(index, x, y, kRadius),
                  concat("fill:", color, ";stroke:var(--paper,#fff);stroke-width:.8"), tooltip(p, options));
    d.taken.push_back(around(x, y, kRadius + 1));
  }
}

// Between two points of the front nothing is reached: what the left one gives holds until the right one.
void draw_steps(Drawing& d, const std::vector<ParetoPoint>& front, const std::string& style,
                const std::string& tip) {
  std::string path;
  for (const ParetoPoint& p : front) {
    const std::string x = px(d.x.at(p.x)), y = px(d.y.at(p.y));
    path += path.empty() ? concat("M", x, " ", y) : concat("H", x, "V", y);
  }
  if (front.size() > 1) d.canvas.path(path + "H" + px(d.plot.right), "fill:none;" + style, tip);
}

std::vector<ParetoPoint> drawn_front(const Drawing& d, const std::vector<ParetoSeries>& series) {
  std::vector<ParetoPoint> front = pareto_front(series);
  std::erase_if(front, [&](const ParetoPoint& p) { return !d.x.shows(p.x) || !d.y.shows(p.y); });
  return front;
}

// Beside its point where nothing is in the way; a label that fits nowhere is left to the tooltip.
void draw_label(Drawing& d, const ParetoPoint& p) {
  const double x = d.x.at(p.x), y = d.y.at(p.y), width = text_pixels(p.label);
  struct Place {
    double dx, dy;
    Anchor anchor;
  };
  constexpr double kSide = kRadius + 5;
  for (const Place& place :
       {Place{kSide, -7, Anchor::kStart}, Place{-kSide, -7, Anchor::kEnd}, Place{kSide, 4, Anchor::kStart},
        Place{kSide, 15, Anchor::kStart}, Place{-kSide, 4, Anchor::kEnd}, Place{-kSide, 15, Anchor::kEnd},
        Place{0, -11, Anchor::kMiddle}, Place{0, 20, Anchor::kMiddle}}) {
    const double anchor = x + place.dx, base = y + place.dy;
    const double left = place.anchor == Anchor::kStart ? anchor
                        : place.anchor == Anchor::kEnd ? anchor - width
                                                       : anchor - width / 2;
    const Box box{left, base - kLabelHeight + 3, left + width, base + 3};
    const bool inside = box.left >= d.plot.left && box.right <= d.plot.right && box.top >= d.plot.top - 8 &&
                        box.bottom <= d.plot.bottom;
    if (!inside || std::any_of(d.taken.begin(), d.taken.end(), [&](const Box& o) { return box.meets(o); }))
      continue;
    d.canvas.text(anchor, base, place.anchor, p.label,
                  concat("fill:", kInk, ";paint-order:stroke;stroke:var(--paper,#fff);stroke-width:3px"));
    d.taken.push_back(box);
    return;
  }
}

}  // namespace

std::vector<ParetoPoint> pareto_front(const std::vector<ParetoSeries>& series) {
  std::vector<ParetoPoint> points, front;
  for (const ParetoSeries& s : series)
    std::copy_if(s.points.begin(), s.points.end(), std::back_inserter(points), finite);
  std::stable_sort(points.begin(), points.end(), [](const ParetoPoint& a, const ParetoPoint& b) {
    return a.x != b.x ? a.x < b.x : a.y > b.y;
  });
  for (const ParetoPoint& p : points) {
    const bool twin = !front.empty() && front.back().x == p.x && front.back().y == p.y;
    if (front.empty() || p.y > front.back().y || twin) front.push_back(p);
  }
  return front;
}

std::string pareto_chart(const std::vector<ParetoSeries>& series, const ChartOptions& options) {
  Range xs, ys;
  std::vector<std::string> names;
  for (const ParetoSeries& s : series) {
    names.push_back(s.name);
    for (const ParetoPoint& p : s.points) {
      xs.add(p.x, options.log_x);
      for (const double v : {p.y, p.lo, p.hi}) ys.add(v, options.log_y);
    }
  }
  Plot plot{0, 0, options.width - 14, options.height - (options.x_label.empty() ? 28 : 46)};
  plot.top = 12 + legend_height(names, 8, plot.right);
  const Scale y = Scale(ys, options.log_y, plot.bottom, plot.top).rounded();
  plot.left = 20 + label_pixels(y.ticks(5)) + (options.y_label.empty() ? 0 : 14);
  const Scale x(xs, options.log_x, plot.left + 24, plot.right - 60);

  Canvas canvas(options.width, options.height, options.title);
  draw_legend(canvas, names, plot.left, plot.right, true);
  draw_y_axis(canvas, y, plot, options.y_label);
  draw_x_axis(canvas, x, x.ticks(8), plot, options.x_label);
  Drawing drawing{canvas, x, y, plot, {}};
  const std::vector<ParetoPoint> front = drawn_front(drawing, series);
  draw_steps(drawing, front, concat("stroke:", kInk, ";stroke-width:1.4;stroke-dasharray:5 4;opacity:.55"),
             "front of all cells");
  for (size_t i = 0; i < series.size(); ++i)
    draw_steps(drawing, drawn_front(drawing, {series[i]}),
               concat("stroke:", series_color(i), ";stroke-width:1.6;opacity:.5"),
               "front of " + series[i].name);
  for (size_t i = 0; i < series.size(); ++i) draw_points(drawing, series[i], i, options);
  for (const ParetoPoint& p : front) draw_label(drawing, p);
  for (const ParetoSeries& s : series)
    for (const ParetoPoint& p : drawn_front(drawing, {s}))
      if (std::none_of(front.begin(), front.end(), [&](const ParetoPoint& f) { return f.label == p.label; }))
        draw_label(drawing, p);
  return canvas.finish();
}

}  // namespace svdlab::report
