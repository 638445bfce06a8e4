#pragma once
#include <string>
#include <vector>

namespace svdlab::report {

// Charts as inline SVG without scripts. Colours come from CSS variables (--ink, --muted, --grid, --s0 ...)
// with fallbacks, so that a chart follows the page it is in and also stands alone. Marks carry their values
// as tooltips. A NaN is a gap or a hatched cell, an infinity an arrow at the edge; on a logarithmic axis what
// is not positive counts as NaN.

struct ChartOptions {
  std::string title;  ///< read by screen readers; not drawn
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

/// Cells coloured by value. @param values row-major [rows.size(), columns.size()].
/// Throws kConfig when the size differs. With log_y the colour scale is logarithmic.
std::string heat_map(const std::vector<std::string>& rows, const std::vector<std::string>& columns,
                     const std::vector<double>& values, const std::string& value_label,
                     const ChartOptions& options);

}  // namespace svdlab::report
