#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/report_charts.h"
#include "experiments/tables/report_names.h"

namespace svdlab {
namespace {

constexpr double kBitsInMegabyte = 8e6;

/// Cells of one set of outliers; other outliers are another problem, which no front may mix in.
std::vector<report::ParetoSeries> points_of(const Table& cells, const std::string& dial,
                                            const std::string& column, double unit) {
  std::vector<report::ParetoSeries> out;
  for (const auto& [scheme, rows] : cells_by_scheme(cells)) {
    if (texts(cells, "outliers")[rows.front()] != dial) continue;
    report::ParetoSeries series{.name = scheme, .points = {}};
    for (const size_t row : rows)
      series.points.push_back({.label = texts(cells, "cell")[row],
                               .x = numbers(cells, column)[row] / unit,
                               .y = numbers(cells, "psnr_db")[row],
                               .lo = numbers(cells, "psnr_lo_db")[row],
                               .hi = numbers(cells, "psnr_hi_db")[row]});
    out.push_back(std::move(series));
  }
  return out;
}

/// The points left of the widest gap when they are most of them, or all.
std::vector<report::ParetoSeries> crowded_part(const std::vector<report::ParetoSeries>& series) {
  std::vector<double> xs;
  for (const report::ParetoSeries& s : series)
    for (const report::ParetoPoint& p : s.points)
      if (std::isfinite(p.x)) xs.push_back(p.x);
  std::sort(xs.begin(), xs.end());
  size_t cut = 0;
  for (size_t i = 1; i < xs.size(); ++i)
    if (cut == 0 || xs[i] - xs[i - 1] > xs[cut] - xs[cut - 1]) cut = i;
  const bool apart = cut > 0 && xs[cut] - xs[cut - 1] > 0.4 * (xs.back() - xs.front());
  if (!apart || 3 * cut < 2 * xs.size()) return series;
  std::vector<report::ParetoSeries> out;
  for (const report::ParetoSeries& s : series) {
    out.push_back({s.name, {}});
    for (const report::ParetoPoint& p : s.points)
      if (p.x < xs[cut]) out.back().points.push_back(p);
  }
  return out;
}

size_t count(const std::vector<report::ParetoSeries>& series) {
  size_t n = 0;
  for (const report::ParetoSeries& s : series) n += s.points.size();
  return n;
}

std::string front_text(const std::vector<report::ParetoSeries>& series) {
  std::string out;
  for (const report::ParetoPoint& p : report::pareto_front(series))
    out += concat(out.empty() ? "" : "; ", p.label, " (", report::short_number(p.x), " bits, ",
                  report::short_number(p.y), " dB)");
  return out;
}

}  // namespace

void add_pareto_charts(report::HtmlPage& page, const ResultFile& results) {
  const Table& cells = results.table("/cells");
  bool opened = false;
  for (const std::string& dial : distinct(texts(cells, "outliers"))) {
    const auto bits = points_of(cells, dial, "bits_per_weight", 1);
    if (bits.empty() || report::pareto_front(bits).empty()) continue;
    if (!opened) page.section("Storage against quality");
    opened = true;
    const std::string with = dial.empty() ? "" : ", " + dial;
    const auto chart = [&](const std::vector<report::ParetoSeries>& series, const std::string& x_label) {
      return report::pareto_chart(series, {.title = "Storage against quality" + with,
                                           .x_label = x_label,
                                           .y_label = "PSNR (dB)",
                                           .height = 440});
    };
    const auto crowd = crowded_part(bits);
    std::vector<std::pair<std::string, std::string>> charts;
    if (count(crowd) < count(bits))
      charts.emplace_back(concat("bits per weight, the ", count(crowd), " smallest cells"),
                          chart(crowd, "bits per weight"));
    charts.emplace_back("bits per weight, all cells", chart(bits, "bits per weight"));
    charts.emplace_back("megabytes of the whole model",
                        chart(points_of(cells, dial, "model_bits", kBitsInMegabyte), "MB, whole model"));
    page.charts(
        charts,
        "Each mark is a cell with the 95 % interval of its mean PSNR. Lines are fronts, no cell below one is "
        "at "
        "once smaller and better: coloured of a scheme, dashed of all. Bits count codes, scales, low-rank "
        "factors and smoothing vectors of the quantized layers over their weights, and megabytes (10^6 "
        "bytes) "
        "also what stays in 16 bit; neither knows how many bits the activations have. From /cells. On the "
        "front of all" +
            with + ": " + front_text(bits) + ".");
  }
}

}  // namespace svdlab
