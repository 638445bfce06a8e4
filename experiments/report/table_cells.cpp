#include <algorithm>
#include <charconv>
#include <cmath>

#include "experiments/report/table_views.h"
#include "experiments/report/text.h"

namespace svdlab::report {
namespace {

std::string scientific(double v) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::scientific, 2).ptr};
}

// Decimals that show the largest magnitude with four significant digits, less those that are zero in every
// cell.
int shared_decimals(const std::vector<double>& values) {
  double largest = 0;
  for (const double v : values)
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  if (largest == 0) return 0;
  int decimals = std::clamp(3 - static_cast<int>(std::floor(std::log10(largest))), 0, 6);
  const auto ends_in_zero = [&](double v) { return !std::isfinite(v) || fixed(v, decimals).ends_with('0'); };
  while (decimals > 0 && std::all_of(values.begin(), values.end(), ends_in_zero)) --decimals;
  return decimals;
}

std::string cell(double v, int decimals) {
  if (!std::isfinite(v) || v == 0) return fixed(v, decimals);
  if (std::abs(v) >= 1e6) return scientific(v);
  // Fewer than two digits left after rounding would hide the value.
  const bool vanishes = std::abs(v) < 10 * std::pow(10.0, -decimals) && fixed(v, decimals) != shortest(v);
  if (!vanishes) return fixed(v, decimals);
  return std::abs(v) < 1e-3 ? scientific(v)
                            : fixed(v, 1 - static_cast<int>(std::floor(std::log10(std::abs(v)))));
}

bool better_than(double a, double b, Better better) { return better == Better::kHigher ? a > b : a < b; }

std::vector<double> as_doubles(const Column& c) {
  if (const auto* doubles = std::get_if<std::vector<double>>(&c.values)) return *doubles;
  std::vector<double> out;
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&c.values))
    for (const int64_t v : *integers) out.push_back(static_cast<double>(v));
  return out;
}

}  // namespace

std::vector<std::string> display_cells(const Column& column) {
  std::vector<std::string> out;
  if (const auto* texts = std::get_if<std::vector<std::string>>(&column.values)) return *texts;
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&column.values)) {
    for (const int64_t v : *integers) out.push_back(std::to_string(v));
    return out;
  }
  const auto& values = std::get<std::vector<double>>(column.values);
  const int decimals = shared_decimals(values);
  for (const double v : values) out.push_back(cell(v, decimals));
  return out;
}

std::vector<Rank> ranks(const Column& column, Better better) {
  const std::vector<double> values = as_doubles(column);
  std::vector<Rank> out(column.rows(), Rank::kNone);
  std::vector<double> order;
  for (const double v : values)
    if (!std::isnan(v)) order.push_back(v);
  if (order.size() < 2) return out;
  std::sort(order.begin(), order.end(), [&](double a, double b) { return better_than(a, b, better); });
  order.erase(std::unique(order.begin(), order.end()), order.end());
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] == order[0]) out[i] = Rank::kBest;
    if (order.size() > 1 && values[i] == order[1]) out[i] = Rank::kSecond;
  }
  return out;
}

}  // namespace svdlab::report
