#include "experiments/repro/verdict_views.h"

#include <cmath>

#include "core/io/files.h"
#include "experiments/report/table_views.h"
#include "experiments/report/text.h"

namespace svdlab {
namespace {

std::string protocol_words(const Value& protocol) {
  std::string out;
  for (const auto& [key, value] : protocol.members)
    out += (out.empty() ? "" : "; ") + key + " " + value.as_text("protocol." + key);
  return out;
}

std::string measured_words(const MeasuredTable& m) {
  std::string out = "measured: " + m.origin;
  if (m.rows.empty()) return out;
  out += m.model.empty() ? "; models as the folders are called"
                         : "; model " + m.model + " (SHA-256 " + m.model_sha256.substr(0, 12) + ")";
  if (m.steps > 0) out += concat("; ", m.steps, " steps");
  return out;
}

/// How a reader may take the two columns, in one line.
std::string mixing_words(const PaperTable& table, const MeasuredTable& measured) {
  if (measured.rows.empty()) return "";
  for (const PaperSection& s : table.sections)
    if (measured.same_model(s))
      return "A model whose folder is called like the published one is taken for it; prompts are not "
             "checked.";
  return "Our numbers are of another model than every published one: values are never compared, orderings "
         "are.";
}

Value json_or_null(double v) { return std::isfinite(v) ? Value::number(v) : Value(); }

Value json_interval(const Interval& i) {
  Value out = Value::map();
  out.at_or_add("value") = json_or_null(i.value);
  out.at_or_add("lo") = json_or_null(i.lo);
  out.at_or_add("hi") = json_or_null(i.hi);
  out.at_or_add("n") = Value::integer(i.n);
  return out;
}

Value json_ordering(const TestedOrdering& o) {
  Value out = Value::map();
  out.at_or_add("section") = Value::text(o.published.section);
  out.at_or_add("column") = Value::text(o.published.column);
  out.at_or_add("metric") = Value::text(o.published.metric);
  out.at_or_add(o.published.gauge.empty() ? "better" : "alike") = Value::text(o.published.better);
  out.at_or_add(o.published.gauge.empty() ? "worse" : "to") = Value::text(o.published.worse);
  if (o.published.difference) out.at_or_add("published_difference") = Value::number(*o.published.difference);
  out.at_or_add("measured_difference") = json_interval(o.difference);
  out.at_or_add("outcome") = Value::text(to_string(o.outcome));
  if (!o.untested.empty()) out.at_or_add("reason") = Value::text(o.untested);
  return out;
}

Value json_cell(const PaperTable& table, const MeasuredTable& measured, const JudgedCell& cell) {
  const PaperCell& p = cell.published;
  const PaperMetric& metric = table.metric(p.metric);
  Value out = Value::map();
  out.at_or_add("section") = Value::text(p.section);
  out.at_or_add("column") = Value::text(p.column);
  out.at_or_add("row") = Value::text(p.row);
  out.at_or_add("metric") = Value::text(p.metric);
  out.at_or_add("unit") = Value::text(metric.unit);
  if (p.value) out.at_or_add("published") = Value::number(*p.value);
  if (p.n > 0) out.at_or_add("published_n") = Value::integer(p.n);
  if (cell.measured != nullptr) {
    out.at_or_add("our_metric") = Value::text(metric.ours);
    out.at_or_add("measured_model") = Value::text(measured.model_of(table.section(p.section)));
    out.at_or_add("measured") = json_interval(cell.measured->interval);
    out.at_or_add("implementation") = Value::text(cell.measured->implementation);
    out.at_or_add("origin") = Value::text(measured.find(p, p.row)->cell);
  }
  out.at_or_add("verdict") = Value::text(to_string(cell.verdict));
  out.at_or_add("reason") = Value::text(cell.reason);
  return out;
}

Value json_texts(const std::vector<std::string>& lines) {
  Value out = Value::list();
  for (const std::string& line : lines) out.items.push_back(Value::text(line));
  return out;
}

std::string listed(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += "- " + line + "\n";
  return out;
}

/// Orderings that could be tested; the others are in orderings.csv and verdicts.json.
template <class Show>
std::string tested_orderings(const PaperTable& table, const MeasuredTable& measured,
                             const Judgement& judgement, const Show& show) {
  Judgement tested;
  for (const TestedOrdering& o : judgement.orderings)
    if (o.outcome != Outcome::kUntested) tested.orderings.push_back(o);
  const size_t all = judgement.orderings.size(), shown = tested.orderings.size();
  return (shown == 0 ? "" : show(ordering_table(table, measured, tested)) + "\n") +
         concat(shown, " of ", all, " published orderings could be tested\n");
}

/// The parts that both texts have, each table shown by `show`.
template <class Show>
std::string parts(const PaperTable& table, const MeasuredTable& measured, const Judgement& judgement,
                  const std::string& heading, const Show& show) {
  std::string out = listed(repro_caption(table, measured));
  out += "\n" + heading + "Orderings\n\n" + tested_orderings(table, measured, judgement, show);
  for (const PaperSection& s : table.sections)
    out += "\n" + heading + s.name + "\n\n" + show(verdict_table(table, measured, judgement, s.name));
  out += "\n" + heading + "Rules, the first that fits\n\n" + listed(verdict_rules());
  return out + "\n" + table.name + ": " + verdict_counts(judgement) + "\n";
}

}  // namespace

std::vector<std::string> repro_caption(const PaperTable& table, const MeasuredTable& measured) {
  std::vector<std::string> out = {"published: " + table.source + "; " + protocol_words(table.protocol),
                                  measured_words(measured)};
  if (const std::string words = mixing_words(table, measured); !words.empty()) out.push_back(words);
  out.insert(out.end(), table.notes.begin(), table.notes.end());
  for (const auto& [row, how] : table.rows)
    if (!how.stand_in.empty()) out.push_back(row + " is measured by " + how.cell + ", " + how.stand_in);
  return out;
}

std::string repro_text(const PaperTable& table, const MeasuredTable& measured, const Judgement& judgement) {
  return table.title + "\n" +
         parts(table, measured, judgement, "", [](const Table& t) { return report::to_terminal(t); });
}

std::string repro_markdown(const PaperTable& table, const MeasuredTable& measured,
                           const Judgement& judgement) {
  return "# " + table.title + "\n\n" +
         parts(table, measured, judgement, "## ", [](const Table& t) { return report::to_markdown(t); });
}

std::string repro_json(const PaperTable& table, const MeasuredTable& measured, const Judgement& judgement) {
  Value out = Value::map();
  out.at_or_add("table") = Value::text(table.name);
  out.at_or_add("source") = Value::text(table.source);
  out.at_or_add("measured") = Value::text(measured_words(measured));
  out.at_or_add("notes") = json_texts(repro_caption(table, measured));
  out.at_or_add("rules") = json_texts(verdict_rules());
  Value& orderings = out.at_or_add("orderings") = Value::list();
  for (const TestedOrdering& o : judgement.orderings) orderings.items.push_back(json_ordering(o));
  Value& cells = out.at_or_add("cells") = Value::list();
  for (const JudgedCell& c : judgement.cells) cells.items.push_back(json_cell(table, measured, c));
  return out.canonical_json() + "\n";
}

void write_repro(const std::string& folder, const PaperTable& table, const MeasuredTable& measured,
                 const Judgement& judgement) {
  make_directories(folder);
  write_file(folder + "/verdicts.md", repro_markdown(table, measured, judgement));
  write_file(folder + "/verdicts.csv", report::to_csv(verdict_table(table, measured, judgement, "")));
  write_file(folder + "/orderings.csv", report::to_csv(ordering_table(table, measured, judgement)));
  write_file(folder + "/verdicts.json", repro_json(table, measured, judgement));
}

}  // namespace svdlab
