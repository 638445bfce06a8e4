#pragma once
#include <string>
#include <vector>

#include "experiments/report/canvas.h"

namespace svdlab::report {

struct Tick {
  double value;
  std::string label;
};

/// Smallest and largest value that can be drawn; empty when none can.
struct Range {
  double lo = 0, hi = 0;
  bool empty = true;
  void add(double v, bool log);
  void add(const std::vector<double>& values, bool log);
};

/// Maps data values to pixels along one axis, linear or logarithmic.
class Scale {
 public:
  /// `range` lands on pixels [from, to]; an empty or single-valued range is widened.
  Scale(Range range, bool log, double from, double to);

  bool shows(double v) const;  ///< finite, and positive on a logarithmic axis
  double at(double v) const;   ///< pixel of a value that shows
  /// The same scale with its ends moved out to round values.
  Scale rounded() const;
  /// Round values inside the range, about `wanted` of them.
  std::vector<Tick> ticks(int wanted) const;

 private:
  double lo_, hi_;  // in log10 when log_
  bool log_;
  double from_, to_;
};

/// Value for a tooltip or a tick: 4 significant digits.
std::string short_number(double v);

/// The rectangle of pixels inside the axes.
struct Plot {
  double left, top, right, bottom;
};

void draw_y_axis(Canvas& canvas, const Scale& y, const Plot& plot, const std::string& label);
void draw_x_axis(Canvas& canvas, const Scale& x, const std::vector<Tick>& ticks, const Plot& plot,
                 const std::string& label);
/// Widest label of the ticks, in pixels.
double label_pixels(const std::vector<Tick>& ticks);

/// Draws the key of the series from (left, 0) downwards, wrapped at `right`.
void draw_legend(Canvas& canvas, const std::vector<std::string>& names, double left, double right,
                 bool markers);
/// The height draw_legend needs; 0 for a single unnamed series.
double legend_height(const std::vector<std::string>& names, double left, double right);

}  // namespace svdlab::report
