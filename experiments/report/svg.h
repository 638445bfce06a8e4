#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "experiments/report/axis.h"

namespace svdlab::report {

// Charts as inline SVG without scripts. Colours come from CSS variables (--ink, --muted, --grid, --s0 ...)
// with fallbacks, so that a chart follows the page it is in and also stands alone. Marks carry their values
// as tooltips. A NaN is a gap or a hatched cell, an infinity an arrow at the edge; on a logarithmic axis what
// is not positive counts as NaN.

struct ChartOptions {
  std::string title;  ///< above the chart, and read by screen readers
  std::string x_label, y_label;
  bool log_x = false, log_y = false;
  double width = 960, height = 340;  ///< pixels; bar charts and heat maps grow when they need to
};

/// One line of a line chart: points in drawing order.
struct Series {
  std::string name;
  std::vector<double> x, y;
  std::vector<double> lo, hi;  ///< empty, or an interval per point, drawn as a band
  bool connected = true;       ///< false: markers only
};

/// Lines over a numeric axis. Throws kConfig when lengths differ.
std::string line_chart(const std::vector<Series>& series, const ChartOptions& options);

/// One colour of a bar chart: a value per group.
struct BarSeries {
  std::string name;
  std::vector<double> values;
  std::vector<double> lo, hi;  ///< empty, or an interval per bar, drawn as a whisker
};

/// Bars side by side within each group. A linear axis starts at 0. Throws kConfig when lengths differ.
std::string bar_chart(const std::vector<std::string>& groups, const std::vector<BarSeries>& series,
                      const ChartOptions& options);

/// One mark of a Pareto chart: less x and more y is better; lo and hi are the interval of y.
struct ParetoPoint {
  std::string label;
  double x = 0, y = 0, lo = 0, hi = 0;
};
/// One colour of a Pareto chart.
struct ParetoSeries {
  std::string name;
  std::vector<ParetoPoint> points;
};

/// The points that no other point beats: none has at most their x and at least their y, one of them strictly.
/// By rising x; points that are not finite are never on the front.
std::vector<ParetoPoint> pareto_front(const std::vector<ParetoSeries>& series);

/// Points with whiskers, and step lines for the front of each series and, dashed, of all of them; points of a
/// front are labelled where there is room. A front of one point has no line.
std::string pareto_chart(const std::vector<ParetoSeries>& series, const ChartOptions& options);

/// A map of cells coloured by value.
struct HeatMap {
  std::vector<std::string> rows, columns;
  std::vector<double> values;  ///< row-major [rows.size(), columns.size()]
  std::string value_label;
  Range range = {};             ///< of the colours; empty: of the values
  int64_t marked = -1;          ///< index of a cell with a frame
  bool sparse = false;          ///< a NaN is no cell at all instead of a hatched one
  bool one_of_several = false;  ///< plain cells, which the page's script may colour by other values
};

/// Throws kConfig when the number of values differs. With log_y the colour scale is logarithmic.
std::string heat_map(const HeatMap& map, const ChartOptions& options);

}  // namespace svdlab::report
