#include "experiments/report/axis.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/error.h"
#include "experiments/report/text.h"

namespace svdlab::report {
namespace {

// Up to this many decades an axis also has ticks at 2 and 5.
constexpr double kDecadesWithSteps = 2.5;
constexpr double kLegendRow = 20, kLegendGap = 18, kSwatch = 18;

bool drawable(double v, bool log) { return std::isfinite(v) && (!log || v > 0); }

// The round step (1, 2 or 5 times a power of ten) that gives about `wanted` intervals.
double round_step(double span, int wanted) {
  const double raw = span / wanted, power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double m : {1.0, 2.0, 5.0})
    if (m * power >= raw * 0.999) return m * power;
  return 10 * power;
}

// The nearest logarithm of 1, 2 or 5 times a power of ten below (direction -1) or above (1).
double round_log(double v, int direction) {
  double best = direction < 0 ? std::floor(v + 1e-9) : std::ceil(v - 1e-9);
  for (const double m : {2.0, 5.0}) {
    const double candidate = std::floor(v) + std::log10(m);
    if (direction < 0 ? candidate <= v + 1e-9 : candidate >= v - 1e-9)
      best = direction < 0 ? std::max(best, candidate) : std::min(best, candidate);
  }
  return best;
}

std::string superscript(int n) {
  static const char* const kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string out = n < 0 ? "⁻" : "";
  for (const char c : std::to_string(std::abs(n))) out += kDigits[c - '0'];
  return out;
}

// 1, 20, 0.05 as they are; what needs more room as a power of ten.
std::string log_label(double mantissa, int exponent) {
  if (exponent >= -2 && exponent <= 3)
    return fixed(mantissa * std::pow(10.0, exponent), std::max(0, -exponent));
  return (mantissa == 1 ? "" : fixed(mantissa, 0) + "·") + "10" + superscript(exponent);
}

std::string linear_label(double v, double step) {
  const double size = std::max(std::abs(v), step);
  if (size >= 1e6 || step < 1e-4) return v == 0 ? "0" : short_number(v);
  return fixed(v, std::max(0, -static_cast<int>(std::floor(std::log10(step) + 1e-9))));
}

}  // namespace

void Range::add(double v, bool log) {
  if (!drawable(v, log)) return;
  lo = empty ? v : std::min(lo, v);
  hi = empty ? v : std::max(hi, v);
  empty = false;
}

void Range::add(const std::vector<double>& values, bool log) {
  for (const double v : values) add(v, log);
}

Scale::Scale(Range range, bool log, double from, double to) : log_(log), from_(from), to_(to) {
  if (range.empty) range.lo = log ? 0.1 : 0, range.hi = 1;
  lo_ = log ? std::log10(range.lo) : range.lo;
  hi_ = log ? std::log10(range.hi) : range.hi;
  // A single value sits in the middle of a range of its own size.
  const double room = log ? 0.5 : std::max(std::abs(lo_) * 0.5, 1e-12);
  if (!(hi_ - lo_ > 1e-9 * std::max(std::abs(lo_), std::abs(hi_)))) lo_ -= room, hi_ += room;
}

bool Scale::shows(double v) const { return drawable(v, log_); }

double Scale::at(double v) const {
  const double t = ((log_ ? std::log10(v) : v) - lo_) / (hi_ - lo_);
  return from_ + t * (to_ - from_);
}

Scale Scale::rounded() const {
  Scale out = *this;
  if (log_ && hi_ - lo_ <= kDecadesWithSteps) {
    out.lo_ = round_log(lo_, -1);
    out.hi_ = round_log(hi_, 1);
    return out;
  }
  const double step = log_ ? 1.0 : round_step(hi_ - lo_, 5);
  out.lo_ = std::floor(lo_ / step + 1e-9) * step;
  out.hi_ = std::ceil(hi_ / step - 1e-9) * step;
  return out;
}

std::vector<Tick> Scale::ticks(int wanted) const {
  std::vector<Tick> out;
  const double slack = 1e-9 * (hi_ - lo_);
  if (!log_) {
    const double step = round_step(hi_ - lo_, wanted);
    for (double k = std::ceil((lo_ - slack) / step); k * step <= hi_ + slack; ++k)
      out.push_back({k * step, linear_label(k * step, step)});
    return out;
  }
  const double decades = hi_ - lo_;
  const int stride = std::max(1, static_cast<int>(std::ceil(decades / (wanted + 2))));
  const std::vector<double> mantissas =
      decades > kDecadesWithSteps ? std::vector<double>{1} : std::vector<double>{1, 2, 5};
  for (int e = static_cast<int>(std::floor(lo_)); e <= hi_; ++e)
    for (const double m : mantissas) {
      const double at = e + std::log10(m);
      if (at >= lo_ - slack && at <= hi_ + slack && e % stride == 0)
        out.push_back({m * std::pow(10.0, e), log_label(m, e)});
    }
  return out;
}

std::string short_number(double v) {
  if (!std::isfinite(v)) return fixed(v, 0);
  const double size = std::abs(v);
  if (size != 0 && (size < 1e-3 || size >= 1e6)) {
    char buffer[40];
    return {buffer, std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::scientific, 2).ptr};
  }
  std::string s = fixed(v, size >= 1 ? std::max(0, 3 - static_cast<int>(std::log10(size))) : 4);
  if (s.find('.') == std::string::npos) return s;
  while (s.back() == '0') s.pop_back();
  if (s.back() == '.') s.pop_back();
  return s;
}

double label_pixels(const std::vector<Tick>& ticks) {
  double widest = 0;
  for (const Tick& t : ticks) widest = std::max(widest, text_pixels(t.label));
  return widest;
}

void draw_y_axis(Canvas& canvas, const Scale& y, const Plot& plot, const std::string& label) {
  const std::vector<Tick> ticks = y.ticks(5);
  for (const Tick& t : ticks) {
    const double at = y.at(t.value);
    canvas.line(plot.left, at, plot.right, at, concat("stroke:", kGrid));
    canvas.text(plot.left - 8, at + 4, Anchor::kEnd, t.label);
  }
  const double x = plot.left - 16 - label_pixels(ticks), middle = (plot.top + plot.bottom) / 2;
  if (!label.empty()) canvas.text(x, middle, Anchor::kMiddle, label, concat("fill:", kInk), -90);
}

void draw_x_axis(Canvas& canvas, const Scale& x, const std::vector<Tick>& ticks, const Plot& plot,
                 const std::string& label) {
  canvas.line(plot.left, plot.bottom, plot.right, plot.bottom, concat("stroke:", kMuted));
  for (const Tick& t : ticks) {
    const double at = x.at(t.value);
    canvas.line(at, plot.bottom, at, plot.bottom + 4, concat("stroke:", kMuted));
    canvas.text(at, plot.bottom + 17, Anchor::kMiddle, t.label);
  }
  const double middle = (plot.left + plot.right) / 2;
  if (!label.empty()) canvas.text(middle, plot.bottom + 36, Anchor::kMiddle, label, concat("fill:", kInk));
}

double legend_height(const std::vector<std::string>& names, double left, double right) {
  if (names.empty() || (names.size() == 1 && names[0].empty())) return 0;
  double x = left, rows = 1;
  for (const std::string& name : names) {
    const double width = kSwatch + 6 + text_pixels(name) + kLegendGap;
    if (x > left && x + width - kLegendGap > right) x = left, ++rows;
    x += width;
  }
  return rows * kLegendRow + 8;
}

void draw_legend(Canvas& canvas, const std::vector<std::string>& names, double left, double right,
                 bool markers) {
  if (legend_height(names, left, right) == 0) return;
  double x = left, y = 12;
  for (size_t i = 0; i < names.size(); ++i) {
    const double width = kSwatch + 6 + text_pixels(names[i]) + kLegendGap;
    if (x > left && x + width - kLegendGap > right) x = left, y += kLegendRow;
    const std::string color = series_color(i);
    if (markers) {
      canvas.line(x, y, x + kSwatch, y, concat("stroke:", color, ";stroke-width:2"));
      canvas.path(marker_path(i, x + kSwatch / 2, y, 3.6), concat("fill:", color));
    } else {
      canvas.rect(x + 3, y - 6, 12, 12, concat("fill:", color), "", 2);
    }
    canvas.text(x + kSwatch + 6, y + 4, Anchor::kStart, names[i], concat("fill:", kInk));
    x += width;
  }
}

}  // namespace svdlab::report
