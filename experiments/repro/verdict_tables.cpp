#include <cmath>

#include "experiments/report/text.h"
#include "experiments/repro/verdict_views.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

// Values of several metrics stand in one column, so each is rounded by its unit.
std::string number_text(double v, const PaperMetric& metric) {
  return report::fixed(v, metric.unit == "dB" ? 2 : 4);
}

std::string interval_text(const Interval& i, const PaperMetric& metric) {
  if (!std::isfinite(i.lo) || !std::isfinite(i.hi)) return "";
  return "[" + number_text(i.lo, metric) + ", " + number_text(i.hi, metric) + "]";
}

std::string measured_head(const PaperTable& table, const MeasuredTable& measured,
                          const std::string& section) {
  if (measured.rows.empty()) return "measured";
  if (!section.empty()) return "measured on " + measured.model_of(table.section(section));
  return measured.model.empty() ? "measured" : "measured on " + measured.model_of(table.sections.front());
}

std::string statement(const PaperOrdering& o) {
  return o.better + (o.gauge.empty() ? " over " : " like ") + o.worse;
}

std::string metric_name(const PaperMetric& m) {
  return m.unit.empty() ? m.name : m.name + " (" + m.unit + ")";
}

std::string reason_of(const JudgedCell& cell) { return to_string(cell.verdict) + " (" + cell.reason + ")"; }

}  // namespace

Table ordering_table(const PaperTable& table, const MeasuredTable& measured, const Judgement& judgement) {
  const std::string head = measured_head(table, measured, "");
  Table out{"/orderings",
            {text_column("section"), text_column("column"), text_column("published ordering"),
             text_column("metric"), text_column("published"), text_column("our metric"), text_column(head),
             text_column("95 %"), integer_column("n"), text_column("outcome")}};
  for (const TestedOrdering& o : judgement.orderings) {
    const PaperOrdering& p = o.published;
    const PaperMetric& metric = table.metric(p.metric);
    const bool tested = o.outcome != Outcome::kUntested;
    texts(out, "section").push_back(p.section);
    texts(out, "column").push_back(p.column);
    texts(out, "published ordering").push_back(statement(p));
    texts(out, "metric").push_back(metric_name(metric));
    texts(out, "published").push_back(p.difference ? number_text(*p.difference, metric) : "said");
    texts(out, "our metric").push_back(metric.ours);
    texts(out, head).push_back(tested ? number_text(o.difference.value, metric) : "");
    texts(out, "95 %").push_back(tested ? interval_text(o.difference, metric) : "");
    integers(out, "n").push_back(o.difference.n);
    texts(out, "outcome")
        .push_back(to_string(o.outcome) + (o.untested.empty() ? "" : " (" + o.untested + ")"));
  }
  return out;
}

Table verdict_table(const PaperTable& table, const MeasuredTable& measured, const Judgement& judgement,
                    const std::string& section) {
  const std::string head = measured_head(table, measured, section),
                    published = section.empty() ? "published" : "published for " + section;
  Table out{"/verdicts",
            {text_column("section"), text_column("column"), text_column("row"), text_column("metric"),
             text_column(published), text_column("our metric"), text_column(head), text_column("95 %"),
             integer_column("n"), text_column("verdict")}};
  for (const JudgedCell& cell : judgement.cells) {
    const PaperCell& p = cell.published;
    if (!section.empty() && p.section != section) continue;
    const PaperMetric& metric = table.metric(p.metric);
    const MeasuredValue* m = cell.measured;
    texts(out, "section").push_back(p.section);
    texts(out, "column").push_back(p.column);
    texts(out, "row").push_back(p.row);
    texts(out, "metric").push_back(metric_name(metric));
    texts(out, published).push_back(p.value ? report::shortest(*p.value) : "figure");
    texts(out, "our metric").push_back(m ? metric.ours : "");
    texts(out, head).push_back(m ? number_text(m->interval.value, metric) : "");
    texts(out, "95 %").push_back(m ? interval_text(m->interval, metric) : "");
    integers(out, "n").push_back(m ? m->interval.n : 0);
    texts(out, "verdict").push_back(reason_of(cell));
  }
  if (!section.empty()) out.columns.erase(out.columns.begin());
  return out;
}

std::string verdict_counts(const Judgement& judgement) {
  std::string out;
  for (const Verdict v : {Verdict::kReproduced, Verdict::kDirectionReproduced, Verdict::kNotReproduced,
                          Verdict::kNotComparable}) {
    int64_t count = 0;
    for (const JudgedCell& cell : judgement.cells) count += cell.verdict == v;
    out += concat(out.empty() ? "" : ", ", count, " ", to_string(v));
  }
  return out;
}

}  // namespace svdlab
