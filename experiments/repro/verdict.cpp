#include "experiments/repro/verdict.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "experiments/report/text.h"

namespace svdlab {
namespace {

const MeasuredValue* value_of(const MeasuredRow* row, const std::string& metric) {
  if (row == nullptr) return nullptr;
  const auto found = row->metrics.find(metric);
  return found == row->metrics.end() ? nullptr : &found->second;
}

/// Why two values of ours, or ours and the published one, must not be subtracted; "" when they may.
std::string value_obstacle(const PaperTable& table, const MeasuredTable& measured, const PaperCell& cell,
                           const MeasuredRow& row, const MeasuredValue& ours) {
  const PaperMetric& metric = table.metric(cell.metric);
  const PaperSection& section = table.section(cell.section);
  if (!cell.value) return "the source gives no number";
  if (!metric.stand_in.empty()) return metric.stand_in;
  if (!row.stand_in.empty()) return row.stand_in;
  if (!measured.same_model(section)) return "model " + measured.model_of(section);
  if (section.steps > 0 && measured.steps > 0 && section.steps != measured.steps)
    return concat(measured.steps, " steps, published ", section.steps);
  if (ours.implementation.find(metric.needs) == std::string::npos)
    return "implementation " + ours.implementation + ", published by " + metric.implementation;
  return "";
}

std::string test_name(const TestedOrdering& o) {
  const std::string &a = o.published.better, &b = o.published.worse;
  return o.published.gauge.empty() ? a + " over " + b : a + " like " + b;
}

std::string interval_words(const TestedOrdering& o) {
  const Interval& d = o.difference;
  return concat(report::fixed(d.value, 3), " [", report::fixed(d.lo, 3), ", ", report::fixed(d.hi, 3), "]");
}

/// What the cell's orderings say, taken together.
struct Direction {
  int64_t held = 0;
  const TestedOrdering *contradicted = nullptr, *undecided = nullptr;
};

Direction direction_of(const PaperCell& cell, const std::vector<TestedOrdering>& orderings) {
  Direction out;
  for (const TestedOrdering& o : orderings) {
    const PaperOrdering& p = o.published;
    if (p.section != cell.section || p.column != cell.column || p.metric != cell.metric) continue;
    if (p.better != cell.row && p.worse != cell.row) continue;
    out.held += o.outcome == Outcome::kHolds;
    if (o.outcome == Outcome::kContradicted && !out.contradicted) out.contradicted = &o;
    if (o.outcome == Outcome::kUndecided && !out.undecided) out.undecided = &o;
  }
  return out;
}

std::string value_words(const PaperMetric& metric, const PaperCell& cell, double ours) {
  if (metric.limit > 0)
    return concat("limit ", report::shortest(metric.limit), " x ", report::shortest(*cell.value));
  return concat("differs by ", report::fixed(ours - *cell.value, 3), ", band ",
                report::shortest(metric.band));
}

// The limits are decimal numbers that binary ones do not meet exactly.
bool value_agrees(const PaperMetric& metric, double published, double ours) {
  if (metric.limit > 0) return ours <= published * metric.limit;
  return std::abs(ours - published) <= metric.band + 1e-9;
}

class Judge {
 public:
  Judge(const PaperTable& table, const MeasuredTable& measured, const std::vector<TestedOrdering>& orderings)
      : table_(table), measured_(measured), orderings_(orderings) {}

  JudgedCell judged(const PaperCell& cell) const {
    JudgedCell out{.published = cell};
    const PaperMetric& metric = table_.metric(cell.metric);
    if (!metric.absent.empty()) return with(out, Verdict::kNotComparable, "metric: " + metric.absent);
    const MeasuredRow* row = measured_.find(cell, cell.row);
    if (row == nullptr || !row->missing.empty())
      return with(out, Verdict::kNotComparable, row ? row->missing : "not measured");
    out.measured = value_of(row, metric.ours);
    if (out.measured == nullptr)
      return with(out, Verdict::kNotComparable, "metric: " + metric.ours + " is not in the results");
    return with_value(out, metric, *row);
  }

 private:
  static JudgedCell with(JudgedCell cell, Verdict verdict, std::string reason) {
    cell.verdict = verdict;
    cell.reason = std::move(reason);
    return cell;
  }

  JudgedCell with_value(const JudgedCell& cell, const PaperMetric& metric, const MeasuredRow& row) const {
    const double ours = cell.measured->interval.value;
    const Direction d = direction_of(cell.published, orderings_);
    const std::string obstacle = value_obstacle(table_, measured_, cell.published, row, *cell.measured);
    if (!std::isfinite(ours))
      return with(cell, Verdict::kNotReproduced, "our value is " + report::fixed(ours, 3));
    if (d.contradicted)
      return with(cell, Verdict::kNotReproduced,
                  "contradicted: " + test_name(*d.contradicted) + ", " + interval_words(*d.contradicted));
    if (obstacle.empty() && value_agrees(metric, *cell.published.value, ours))
      return with(cell, Verdict::kReproduced, value_words(metric, cell.published, ours));
    if (d.undecided)
      return with(cell, Verdict::kNotReproduced,
                  "undecided: " + test_name(*d.undecided) + ", " + interval_words(*d.undecided));
    if (d.held > 0)
      return with(cell, Verdict::kDirectionReproduced,
                  concat(d.held, d.held == 1 ? " ordering holds" : " orderings hold"));
    if (!obstacle.empty()) return with(cell, Verdict::kNotComparable, obstacle);
    return with(cell, Verdict::kNotReproduced, value_words(metric, cell.published, ours));
  }

  const PaperTable& table_;
  const MeasuredTable& measured_;
  const std::vector<TestedOrdering>& orderings_;
};

}  // namespace

std::string to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kReproduced:
      return "reproduced";
    case Verdict::kDirectionReproduced:
      return "direction reproduced";
    case Verdict::kNotReproduced:
      return "not reproduced";
    case Verdict::kNotComparable:
      break;
  }
  return "not comparable";
}

Judgement judge(const PaperTable& table, const MeasuredTable& measured) {
  Judgement out{.orderings = test_orderings(table, measured)};
  const Judge judge(table, measured, out.orderings);
  for (const PaperCell& cell : table.cells) out.cells.push_back(judge.judged(cell));
  return out;
}

std::vector<std::string> verdict_rules() {
  return {
      "not comparable: nothing of ours stands beside the cell; or ours is of another model or definition and "
      "no "
      "published ordering of the cell could be tested",
      "not reproduced: our value is not finite, or a published ordering of the cell is contradicted (95 % "
      "interval on the other side)",
      "reproduced: same model, steps and metric implementation, value within the metric's band or below its "
      "limit",
      "direction reproduced: every published ordering of the cell that could be tested holds (95 % interval "
      "of "
      "the paired difference excludes 0), at least one",
      "not reproduced: all else, the value being off or an ordering undecided (interval includes 0)",
      concat("alike: the interval of the difference lies within ", kAlikeShare * 100,
             " % of the distance to the row it is gauged by")};
}

}  // namespace svdlab
