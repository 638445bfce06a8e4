#include <algorithm>
#include <cmath>
#include <set>

#include "core/base/error.h"
#include "experiments/report/axis.h"
#include "experiments/report/svg.h"

namespace svdlab::report {
namespace {

void require_equal_lengths(const std::vector<Series>& series) {
  for (const Series& s : series) {
    const bool band = s.lo.empty() && s.hi.empty();
    const bool ok =
        s.x.size() == s.y.size() && (band || (s.lo.size() == s.y.size() && s.hi.size() == s.y.size()));
    SVDLAB_REQUIRE(ok, Errc::kConfig, "series \"", s.name, "\" has ", s.x.size(), " x, ", s.y.size(), " y, ",
                   s.lo.size(), " lo and ", s.hi.size(), " hi values");
  }
}

// The data's own x values when they are few and far apart (ranks 4, 8, 16 ...), round values otherwise.
std::vector<Tick> x_ticks(const std::vector<Series>& series, const Scale& x) {
  std::set<double> values;
  for (const Series& s : series)
    for (const double v : s.x)
      if (x.shows(v)) values.insert(v);
  double last = -1e9;
  std::vector<Tick> own;
  for (const double v : values) {
    if (values.size() > 10 || x.at(v) - last < 30) return x.ticks(7);
    last = x.at(v);
    own.push_back({v, short_number(v)});
  }
  return own;
}

struct Drawing {
  Canvas& canvas;
  const Scale &x, &y;
  const Plot& plot;
};

void draw_band(const Drawing& d, const Series& s, const std::string& color) {
  std::string there, back;
  for (size_t i = 0; i < s.lo.size(); ++i) {
    if (!d.x.shows(s.x[i]) || !d.y.shows(s.lo[i]) || !d.y.shows(s.hi[i])) continue;
    const std::string at = px(d.x.at(s.x[i])) + " ";
    there += (there.empty() ? "M" : "L") + at + px(d.y.at(s.hi[i]));
    back = "L" + at + px(d.y.at(s.lo[i])) + back;
  }
  if (!there.empty()) d.canvas.path(there + back + "Z", concat("fill:", color, ";opacity:.14"));
}

void draw_line(const Drawing& d, const Series& s, const std::string& color) {
  std::string path;
  bool pen_down = false;
  for (size_t i = 0; i < s.x.size(); ++i) {
    const bool drawn = d.x.shows(s.x[i]) && d.y.shows(s.y[i]);
    if (drawn) path += (pen_down ? "L" : "M") + px(d.x.at(s.x[i])) + " " + px(d.y.at(s.y[i]));
    pen_down = drawn;
  }
  if (!path.empty())
    d.canvas.path(path, concat("fill:none;stroke:", color, ";stroke-width:2;stroke-linejoin:round"));
}

void draw_markers(const Drawing& d, const Series& s, size_t index, const std::string& color) {
  const double radius = s.x.size() > 60 ? 1.6 : 3.4;
  for (size_t i = 0; i < s.x.size(); ++i) {
    if (!d.x.shows(s.x[i])) continue;
    const std::string tip =
        concat(s.name, s.name.empty() ? "" : ": ", short_number(s.x[i]), ", ", short_number(s.y[i]));
    const double x = d.x.at(s.x[i]);
    if (d.y.shows(s.y[i])) {
      d.canvas.path(marker_path(index, x, d.y.at(s.y[i]), radius), concat("fill:", color), tip);
    } else if (std::isinf(s.y[i])) {
      const double tipy = s.y[i] > 0 ? d.plot.top : d.plot.bottom, foot = s.y[i] > 0 ? 9 : -9;
      d.canvas.path(concat("M", px(x), " ", px(tipy), "l5 ", px(foot), "h-10Z"), concat("fill:", color), tip);
    }
  }
}

}  // namespace

std::string line_chart(const std::vector<Series>& series, const ChartOptions& options) {
  require_equal_lengths(series);
  Range xs, ys;
  std::vector<std::string> names;
  for (const Series& s : series) {
    xs.add(s.x, options.log_x);
    for (const auto* v : {&s.y, &s.lo, &s.hi}) ys.add(*v, options.log_y);
    names.push_back(s.name);
  }
  Plot plot{0, 0, options.width - 14, options.height - (options.x_label.empty() ? 28 : 46)};
  plot.top = 12 + legend_height(names, 8, plot.right);
  const Scale y = Scale(ys, options.log_y, plot.bottom, plot.top).rounded();
  plot.left = 20 + label_pixels(y.ticks(5)) + (options.y_label.empty() ? 0 : 14);
  const Scale x(xs, options.log_x, plot.left + 10, plot.right - 10);

  Canvas canvas(options.width, options.height, options.title);
  draw_legend(canvas, names, plot.left, plot.right, true);
  draw_y_axis(canvas, y, plot, options.y_label);
  draw_x_axis(canvas, x, x_ticks(series, x), plot, options.x_label);
  const Drawing drawing{canvas, x, y, plot};
  for (size_t i = 0; i < series.size(); ++i) draw_band(drawing, series[i], series_color(i));
  for (size_t i = 0; i < series.size(); ++i) {
    if (series[i].connected) draw_line(drawing, series[i], series_color(i));
    draw_markers(drawing, series[i], i, series_color(i));
  }
  return canvas.finish();
}

}  // namespace svdlab::report
