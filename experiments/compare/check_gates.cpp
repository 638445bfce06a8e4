#include "experiments/compare/check_gates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "eval/bootstrap.h"
#include "experiments/compare/filter_check.h"
#include "experiments/report/text.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

const Table& table_of(const ComparedFile& file, const std::string& name) {
  const Table* found = find_table(file.tables, name);
  SVDLAB_REQUIRE(found != nullptr, Errc::kInput, file.path, ": has no table ", name.substr(1),
                 "; it was written by another version of this program");
  return *found;
}

/// How much worse b is than a, in the gate's own measure; 0 for equal infinities, NaN when either is NaN.
double change_of(const Gate& gate, double a, double b) {
  if (a == b) return 0;
  const double change = gate.limit == Limit::kDrop   ? a - b
                        : gate.limit == Limit::kRise ? b - a
                                                     : std::abs(b - a);
  return gate.relative ? change / std::abs(a) : change;
}

/// ok = change <= bound, so that NaN does not pass.
bool within(const Gate& gate, double change) { return change <= gate.bound && change < kInfinite; }

std::string change_text(const std::string& metric, const std::string& a, const std::string& b) {
  return metric + " " + a + " -> " + b;
}

class Check {
 public:
  Check(const Gate& gate, const ComparedFile& a, const ComparedFile& b, const RowFilter& only)
      : file_a_(a), file_b_(b), a_(table_of(a, gate.table)), b_(table_of(b, gate.table)) {
    out_.gate = gate;
    check_patterns(gate.rows, a_, b_, "gate " + gate_text(gate));
    RowFilter filter = gate.rows;
    filter.insert(filter.end(), only.begin(), only.end());
    rows_ = pair_rows(a_, b_, filter);
    out_.worst_change = std::nan("");
  }

  GateResult run() {
    if (out_.gate.limit == Limit::kExact)
      check_exact();
    else if (out_.gate.paired)
      check_paired();
    else
      check_limit();
    return std::move(out_);
  }

 private:
  void offend(const RowFilter& key, const std::string& what, double badness) {
    out_.offenders.push_back({key, what, std::isnan(badness) ? kInfinite : badness});
  }

  /// True when the row is on one side only, which is an offence of its own.
  bool missing(const RowPair& row) {
    if (row.a && row.b) return false;
    offend(row.key, row.a ? "only in A" : "only in B", kInfinite);
    return true;
  }

  /// Rows of the 16-bit run and of skipped cells hold no numbers; they must do so on both sides.
  bool without_numbers(const RowPair& row, double a, double b) const {
    if (!std::isnan(a) || !std::isnan(b) || row.key.empty()) return false;
    const auto in_a = file_a_.status.find(row.key[0].second), in_b = file_b_.status.find(row.key[0].second);
    return in_a != file_a_.status.end() && in_b != file_b_.status.end() && in_a->second == in_b->second &&
           in_a->second != "ok";
  }

  void check_exact() {
    std::vector<std::string> metrics;
    for (const Column& c : a_.columns)
      if (out_.gate.metric.empty() ? is_metric(c) : c.name == out_.gate.metric) metrics.push_back(c.name);
    for (const std::string& metric : metrics)
      SVDLAB_REQUIRE(find_column(b_, metric), Errc::kInput, file_b_.path, ": table ", b_.name.substr(1),
                     " has no column ", metric, ", which ", file_a_.path, " has");
    SVDLAB_REQUIRE(!metrics.empty(), Errc::kInput, file_a_.path, ": table ", a_.name.substr(1),
                   " has no column ", out_.gate.metric);
    for (const RowPair& row : rows_) {
      if (missing(row)) continue;
      for (const std::string& metric : metrics)
        if (!check_same(row, a_.column(metric), b_.column(metric))) break;  // one line a row
    }
  }

  bool check_same(const RowPair& row, const Column& a, const Column& b) {
    ++out_.compared;
    if (same_value(a, *row.a, b, *row.b)) return true;
    double badness = 1;
    if (!std::holds_alternative<std::vector<std::string>>(a.values) &&
        !std::holds_alternative<std::vector<std::string>>(b.values)) {
      const double x = value_number(a, *row.a), y = value_number(b, *row.b);
      badness = std::abs(y - x) / std::max(std::abs(x), std::abs(y));
    }
    offend(row.key, change_text(a.name, value_text(a, *row.a), value_text(b, *row.b)), badness);
    return false;
  }

  void check_limit() {
    const Column &a = a_.column(out_.gate.metric), &b = b_.column(out_.gate.metric);
    for (const RowPair& row : rows_) {
      if (missing(row)) continue;
      const double x = value_number(a, *row.a), y = value_number(b, *row.b);
      if (without_numbers(row, x, y)) {
        ++out_.left_out;
        continue;
      }
      judge(row.key, change_of(out_.gate, x, y),
            change_text(a.name, value_text(a, *row.a), value_text(b, *row.b)));
    }
  }

  void judge(const RowFilter& key, double change, const std::string& what) {
    ++out_.compared;
    if (!(change <= out_.worst_change)) out_.worst_change = change;
    if (!within(out_.gate, change)) offend(key, what, change);
  }

  void check_paired() {
    const Column &a = a_.column(out_.gate.metric), &b = b_.column(out_.gate.metric);
    for (size_t begin = 0; begin < rows_.size();) {
      const std::string& cell = rows_[begin].key[0].second;
      std::vector<double> in_a, in_b;
      bool complete = true;
      size_t end = begin;
      for (; end < rows_.size() && rows_[end].key[0].second == cell; ++end) {
        const RowPair& row = rows_[end];
        if (missing(row)) {
          complete = false;
          continue;
        }
        const double x = value_number(a, *row.a), y = value_number(b, *row.b);
        if (without_numbers(row, x, y))
          ++out_.left_out;
        else
          in_a.push_back(x), in_b.push_back(y);
      }
      if (complete && !in_a.empty()) judge_cell({rows_[begin].key[0]}, in_a, in_b);
      begin = end;
    }
  }

  /// The end of the interval of the mean difference that speaks for B decides.
  void judge_cell(const RowFilter& key, const std::vector<double>& a, const std::vector<double>& b) {
    std::vector<double> differences;
    for (size_t i = 0; i < a.size(); ++i) differences.push_back(a[i] == b[i] ? 0 : b[i] - a[i]);
    const Interval d = bootstrap_mean(differences, out_.gate.metric);
    double change = out_.gate.limit == Limit::kDrop   ? -d.hi
                    : out_.gate.limit == Limit::kRise ? d.lo
                                                      : std::max({0.0, d.lo, -d.hi});
    if (std::isnan(d.lo) || std::isnan(d.hi)) change = std::nan("");
    if (out_.gate.relative) {
      double sum = 0;
      for (const double x : a) sum += x;
      change /= std::abs(sum / static_cast<double>(a.size()));
    }
    judge(key, change,
          concat("mean ", out_.gate.metric, " difference ", report::fixed(d.value, 4), " [",
                 report::fixed(d.lo, 4), ", ", report::fixed(d.hi, 4), "] over ", d.n, " items"));
  }

  const ComparedFile &file_a_, &file_b_;
  const Table &a_, &b_;
  std::vector<RowPair> rows_;
  GateResult out_;
};

}  // namespace

const Offender& GateResult::worst() const {
  return *std::max_element(offenders.begin(), offenders.end(),
                           [](const Offender& x, const Offender& y) { return x.badness < y.badness; });
}

std::vector<GateResult> check_gates(const std::vector<Gate>& gates, const ComparedFile& a,
                                    const ComparedFile& b, const RowFilter& only) {
  check_only(only, a, b);
  std::vector<GateResult> out;
  for (const Gate& gate : gates) {
    if (!filter_applies(only, table_of(a, gate.table))) continue;
    GateResult result = Check(gate, a, b, only).run();
    const bool empty = result.compared == 0 && result.offenders.empty();
    SVDLAB_REQUIRE(!empty || !only.empty(), Errc::kConfig, "gate ", gate_text(gate),
                   " has nothing to compare; ", result.left_out, " rows have no numbers");
    if (!empty) out.push_back(std::move(result));
  }
  SVDLAB_REQUIRE(!out.empty(), Errc::kConfig, "--only ", filter_text(only), " leaves nothing to compare");
  return out;
}

}  // namespace svdlab
