#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "experiments/report/axis.h"
#include "experiments/report/svg.h"

namespace svdlab::report {
namespace {

constexpr double kMinBar = 5, kGroupGap = 10, kRightMargin = 14;

void require_equal_lengths(const std::vector<std::string>& groups, const std::vector<BarSeries>& series) {
  for (const BarSeries& s : series) {
    const bool ok = s.values.size() == groups.size() && (s.lo.empty() || s.lo.size() == groups.size()) &&
                    s.lo.size() == s.hi.size();
    SVDLAB_REQUIRE(ok, Errc::kConfig, "bars \"", s.name, "\" have ", s.values.size(), " values, ",
                   s.lo.size(), " lo and ", s.hi.size(), " hi for ", groups.size(), " groups");
  }
}

Range value_range(const std::vector<BarSeries>& series, bool log) {
  Range range;
  if (!log) range.add(0.0, false);
  for (const BarSeries& s : series)
    for (const auto* v : {&s.values, &s.lo, &s.hi}) range.add(*v, log);
  if (log && !range.empty) range.lo *= 0.7;  // the smallest bar keeps a body
  return range;
}

struct Drawing {
  Canvas& canvas;
  const Scale& y;
  const Plot& plot;
  double base;  // pixel the bars stand on
};

void draw_bar(const Drawing& d, double x, double width, double v, const std::string& color,
              const std::string& tip) {
  if (std::isnan(v) || (!d.y.shows(v) && !std::isinf(v))) {
    const double c = x + width / 2, r = std::min(3.0, width / 2);
    d.canvas.path(concat("M", px(c - r), " ", px(d.base - 8 - r), "l", px(2 * r), " ", px(2 * r), "m0 ",
                         px(-2 * r), "l", px(-2 * r), " ", px(2 * r)),
                  concat("fill:none;stroke:", color, ";stroke-width:1.5"), tip);
    return;
  }
  const bool up = v >= 0;
  const double end = std::isinf(v) ? (up ? d.plot.top : d.plot.bottom) : d.y.at(v);
  d.canvas.rect(x, std::min(end, d.base), width, std::max(std::abs(end - d.base), 0.5),
                concat("fill:", color), tip, std::min(2.0, width / 4));
  if (std::isinf(v))
    d.canvas.path(concat("M", px(x + width / 2), " ", px(end + (up ? -9 : 9)), "l", px(width / 2 + 3), " ",
                         px(up ? 8 : -8), "h", px(-width - 6), "Z"),
                  concat("fill:", color), tip);
}

void draw_whisker(const Drawing& d, double x, double lo, double hi) {
  if (!d.y.shows(lo) || !d.y.shows(hi)) return;
  const std::string style = concat("stroke:", kInk, ";stroke-width:1.2");
  d.canvas.line(x, d.y.at(lo), x, d.y.at(hi), style);
  for (const double v : {lo, hi}) d.canvas.line(x - 3, d.y.at(v), x + 3, d.y.at(v), style);
}

std::string tooltip(const std::string& group, const BarSeries& s, size_t g) {
  std::string out = concat(group, s.name.empty() ? "" : " · " + s.name, ": ", short_number(s.values[g]));
  if (!s.lo.empty()) out += concat(" [", short_number(s.lo[g]), ", ", short_number(s.hi[g]), "]");
  return out;
}

// Group names: level when they fit their slot, slanted otherwise, and only every n-th when there are too
double widest(const std::vector<std::string>& texts) {
  double w = 0;
  for (const std::string& t : texts) w = std::max(w, text_pixels(t));
  return w;
}

// Where things lie across: group names are level when they fit their slot, slanted otherwise, and only every
// n-th is written when there are too many.
struct Layout {
  double left, width, slot;
  bool slanted;
  size_t every;
  double label_height;
};

Layout lay_out(const std::vector<std::string>& groups, size_t bars, double axis_width, double wanted_width) {
  const double count = static_cast<double>(std::max<size_t>(groups.size(), 1)), longest = widest(groups);
  const double needed = count * (static_cast<double>(bars) * kMinBar + kGroupGap);
  Layout out{axis_width, std::max(wanted_width, axis_width + kRightMargin + needed), 0, false, 1, 22};
  out.slot = (out.width - out.left - kRightMargin) / count;
  if (longest + 8 <= out.slot) return out;
  const double overhang = groups.empty() ? 0 : 0.82 * text_pixels(groups[0]) - out.slot / 2 + 6;
  out.left = std::max(out.left, overhang);
  out.width = std::max(out.width, out.left + kRightMargin + needed);
  out.slot = (out.width - out.left - kRightMargin) / count;
  out.slanted = true;
  out.every = static_cast<size_t>(std::ceil(15 / out.slot));
  out.label_height = 16 + longest * 0.6;
  return out;
}

void draw_group(const Drawing& d, const std::string& name, const std::vector<BarSeries>& series, size_t g,
                const Layout& layout) {
  const double bars = static_cast<double>(series.size()),
               middle = layout.left + (static_cast<double>(g) + 0.5) * layout.slot;
  const double gap = std::clamp(layout.slot * 0.22, 4.0, 60.0),
               bar = std::min((layout.slot - gap) / bars, 46.0);
  for (size_t i = 0; i < series.size(); ++i) {
    const BarSeries& s = series[i];
    const double x = middle + (static_cast<double>(i) - bars / 2) * bar;
    draw_bar(d, x + 0.5, bar - 1, s.values[g], series_color(i), tooltip(name, s, g));
    if (!s.lo.empty() && d.y.shows(s.values[g])) draw_whisker(d, x + bar / 2, s.lo[g], s.hi[g]);
  }
  if (g % layout.every != 0) return;
  if (layout.slanted)
    d.canvas.text(middle + 4, d.plot.bottom + 14, Anchor::kEnd, name, "", -36);
  else
    d.canvas.text(middle, d.plot.bottom + 17, Anchor::kMiddle, name);
}

}  // namespace

std::string bar_chart(const std::vector<std::string>& groups, const std::vector<BarSeries>& series,
                      const ChartOptions& options) {
  require_equal_lengths(groups, series);
  std::vector<std::string> names;
  for (const BarSeries& s : series) names.push_back(s.name);
  const Range range = value_range(series, options.log_y);
  const double axis_width = 20 + label_pixels(Scale(range, options.log_y, 1, 0).rounded().ticks(5)) +
                            (options.y_label.empty() ? 0 : 14);
  const Layout layout = lay_out(groups, std::max<size_t>(series.size(), 1), axis_width, options.width);

  const double foot = layout.label_height + (options.x_label.empty() ? 4 : 20);
  // Long names take their room below the bars, not from them.
  const double height = options.height + (layout.slanted ? foot - 40 : 0);
  Plot plot{layout.left, 0, layout.width - kRightMargin, height - foot};
  plot.top = 12 + legend_height(names, plot.left, std::min(plot.right, options.width));
  const Scale y = Scale(range, options.log_y, plot.bottom, plot.top).rounded();
  const double base = options.log_y ? plot.bottom : y.at(0);

  Canvas canvas(layout.width, height, options.title);
  draw_legend(canvas, names, plot.left, std::min(plot.right, options.width), false);
  draw_y_axis(canvas, y, plot, options.y_label);
  const Drawing drawing{canvas, y, plot, base};
  for (size_t g = 0; g < groups.size(); ++g) draw_group(drawing, groups[g], series, g, layout);
  canvas.line(plot.left, base, plot.right, base, concat("stroke:", kMuted));
  if (!options.x_label.empty())
    canvas.text((plot.left + plot.right) / 2, height - 6, Anchor::kMiddle, options.x_label,
                concat("fill:", kInk));
  return canvas.finish();
}

}  // namespace svdlab::report
