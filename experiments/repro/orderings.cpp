#include <algorithm>
#include <cmath>
#include <limits>

#include "experiments/repro/verdict.h"

namespace svdlab {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

const MeasuredValue* value_of(const PaperTable& table, const MeasuredTable& measured, const PaperOrdering& o,
                              const std::string& row, std::string& missing) {
  const MeasuredRow* found = measured.find({.section = o.section, .column = o.column}, row);
  if (found == nullptr || !found->missing.empty()) {
    missing = row + ": " + (found ? found->missing : "not measured");
    return nullptr;
  }
  const std::string& metric = table.metric(o.metric).ours;
  const auto value = found->metrics.find(metric);
  if (value != found->metrics.end()) return &value->second;
  missing = row + ": " + metric + " is not in the results";
  return nullptr;
}

/// a - b, paired over the items both have; else the widest that the two intervals allow.
Interval difference(const MeasuredValue& a, const MeasuredValue& b, const std::string& metric) {
  std::vector<double> of_a, of_b;
  for (const auto& [item, value] : a.items)
    if (const auto other = b.items.find(item); other != b.items.end())
      of_a.push_back(value), of_b.push_back(other->second);
  if (!of_a.empty()) return bootstrap_mean_difference(of_a, of_b, metric);
  return {.value = a.interval.value - b.interval.value,
          .lo = a.interval.lo - b.interval.hi,
          .hi = a.interval.hi - b.interval.lo,
          .n = std::min(a.interval.n, b.interval.n)};
}

bool finite(const Interval& i) {
  return std::isfinite(i.value) && std::isfinite(i.lo) && std::isfinite(i.hi);
}

Outcome outcome_of(const Interval& d, bool higher_is_better) {
  if (!finite(d)) return Outcome::kUndecided;
  if (higher_is_better ? d.lo > 0 : d.hi < 0) return Outcome::kHolds;
  if (higher_is_better ? d.hi < 0 : d.lo > 0) return Outcome::kContradicted;
  return Outcome::kUndecided;
}

Outcome alike_outcome(const Interval& d, double margin) {
  if (!finite(d) || !std::isfinite(margin)) return Outcome::kUndecided;
  if (d.lo >= -margin && d.hi <= margin) return Outcome::kHolds;
  if (d.lo > margin || d.hi < -margin) return Outcome::kContradicted;
  return Outcome::kUndecided;
}

TestedOrdering tested(const PaperTable& table, const MeasuredTable& measured, const PaperOrdering& o) {
  TestedOrdering out{.published = o, .difference = {kNan, kNan, kNan, 0}};
  const PaperMetric& metric = table.metric(o.metric);
  if (metric.ours.empty()) {
    out.untested = metric.absent;
    return out;
  }
  const MeasuredValue* a = value_of(table, measured, o, o.better, out.untested);
  const MeasuredValue* b = a ? value_of(table, measured, o, o.worse, out.untested) : nullptr;
  const MeasuredValue* gauge =
      b && !o.gauge.empty() ? value_of(table, measured, o, o.gauge, out.untested) : b;
  if (gauge == nullptr) return out;
  if (a->implementation != b->implementation) {
    out.untested = "two implementations: " + a->implementation + ", " + b->implementation;
    return out;
  }
  out.difference = difference(*a, *b, metric.ours);
  if (o.gauge.empty()) {
    out.outcome = outcome_of(out.difference, metric.higher_is_better);
  } else {
    out.margin = kAlikeShare * std::abs(difference(*gauge, *b, metric.ours).value);
    out.outcome = alike_outcome(out.difference, out.margin);
  }
  return out;
}

}  // namespace

std::string to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kHolds:
      return "holds";
    case Outcome::kContradicted:
      return "contradicted";
    case Outcome::kUndecided:
      return "undecided";
    case Outcome::kUntested:
      break;
  }
  return "untested";
}

std::vector<TestedOrdering> test_orderings(const PaperTable& table, const MeasuredTable& measured) {
  std::vector<TestedOrdering> out;
  for (const PaperOrdering& o : table.orderings) out.push_back(tested(table, measured, o));
  return out;
}

}  // namespace svdlab
