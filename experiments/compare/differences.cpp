#include "experiments/compare/differences.h"

#include <cmath>
#include <cstdio>
#include <limits>

#include "experiments/report/table_views.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

std::string four_digits(double v) {
  char text[40];
  std::snprintf(text, sizeof text, "%+.4g", v);
  return text;
}

/// One metric over all rows that both sides have.
struct MetricChange {
  size_t rows = 0, differ = 0;
  double sum = 0, largest = 0;
  std::string where;

  void add(const RowPair& row, const Column& a, const Column& b) {
    ++rows;
    if (same_value(a, *row.a, b, *row.b)) return;
    ++differ;
    const bool text =
        std::holds_alternative<std::vector<std::string>>(a.values) || a.values.index() != b.values.index();
    const double change = text ? std::nan("") : value_number(b, *row.b) - value_number(a, *row.a);
    sum += change;
    if (where.empty() || !(std::abs(change) <= std::abs(largest)))
      largest = change, where = key_text(row.key);
  }
};

class Differences {
 public:
  Differences(const ComparedFile& a, const ComparedFile& b, const RowFilter& only) : b_(b), only_(only) {
    if (a.config_sha256 != b.config_sha256) notes_ += "A and B ran different configurations or numerics\n";
    for (const Table& t : a.tables)
      if (filter_applies(only, t)) add_table(t);
  }

  std::string text() const {
    std::string out = lines_.rows() > 0 ? report::to_terminal(lines_) : "";
    if (!equal_.empty()) out += "equal bit for bit: " + equal_ + "\n";
    return out + notes_;
  }

 private:
  void add_table(const Table& a) {
    const Table* b = find_table(b_.tables, a.name);
    if (b == nullptr) {
      notes_ += a.name.substr(1) + " is only in A\n";
      return;
    }
    std::vector<RowPair> both;
    size_t only_a = 0, only_b = 0;
    for (RowPair& row : pair_rows(a, *b, only_)) {
      if (row.a && row.b)
        both.push_back(std::move(row));
      else
        ++(row.a ? only_a : only_b);
    }
    if (only_a + only_b > 0)
      notes_ += a.name.substr(1) + ": " + std::to_string(only_a) + " rows are only in A, " +
                std::to_string(only_b) + " only in B\n";
    bool equal = only_a + only_b == 0;
    for (const Column& column : a.columns)
      if (is_metric(column)) equal &= add_metric(a, column, *b, both);
    if (equal && !both.empty())
      equal_ +=
          (equal_.empty() ? "" : ", ") + a.name.substr(1) + " (" + std::to_string(both.size()) + " rows)";
  }

  bool add_metric(const Table& a, const Column& column, const Table& b, const std::vector<RowPair>& rows) {
    const Column* other = find_column(b, column.name);
    if (other == nullptr) {
      notes_ += a.name.substr(1) + ": column " + column.name + " is only in A\n";
      return false;
    }
    MetricChange change;
    for (const RowPair& row : rows) change.add(row, column, *other);
    if (change.differ == 0) return true;
    const bool text = std::isnan(change.largest);
    texts(lines_, "table").push_back(a.name.substr(1));
    texts(lines_, "metric").push_back(column.name);
    texts(lines_, "differ").push_back(std::to_string(change.differ) + " of " + std::to_string(change.rows));
    texts(lines_, "mean change")
        .push_back(text ? "" : four_digits(change.sum / static_cast<double>(change.rows)));
    texts(lines_, "largest").push_back(text ? "" : four_digits(change.largest));
    texts(lines_, "unit").push_back(column.unit);
    texts(lines_, "where").push_back(change.where);
    return false;
  }

  const ComparedFile& b_;
  const RowFilter& only_;
  Table lines_{
      "differences",
      {text_column("table"), text_column("metric"), text_column("differ"), text_column("mean change"),
       text_column("largest"), text_column("unit"), text_column("where")}};
  std::string equal_, notes_;
};

}  // namespace

std::string differences_text(const ComparedFile& a, const ComparedFile& b, const RowFilter& only) {
  return Differences(a, b, only).text();
}

}  // namespace svdlab
