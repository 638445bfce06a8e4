#include "experiments/tables/row_math.h"

#include <algorithm>
#include <cmath>

#include "eval/quantile.h"
#include "experiments/report/text.h"
#include "experiments/study/table_rows.h"

namespace svdlab {

std::vector<double> picked(const Table& table, const std::string& column, const std::vector<size_t>& rows) {
  std::vector<double> out;
  for (const size_t row : rows) out.push_back(numbers(table, column)[row]);
  return out;
}

double median_over(const Table& table, const std::string& column, const std::vector<size_t>& rows) {
  std::vector<double> values = picked(table, column, rows);
  std::sort(values.begin(), values.end());
  return values.empty() ? std::nan("") : quantile(values, 0.5);
}

double largest_over(const Table& table, const std::string& column, const std::vector<size_t>& rows) {
  const std::vector<double> values = picked(table, column, rows);
  return values.empty() ? std::nan("") : *std::max_element(values.begin(), values.end());
}

std::string interval_text(double lo, double hi, int decimals) {
  if (!std::isfinite(lo) || !std::isfinite(hi)) return "";
  return "[" + report::fixed(lo, decimals) + ", " + report::fixed(hi, decimals) + "]";
}

double mean_over(const Table& table, const std::string& column, const std::vector<size_t>& rows) {
  double sum = 0;
  for (const double value : picked(table, column, rows)) sum += value;
  return rows.empty() ? std::nan("") : sum / static_cast<double>(rows.size());
}

}  // namespace svdlab
