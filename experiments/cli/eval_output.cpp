#include "experiments/cli/eval_output.h"

#include <cmath>
#include <set>

#include "core/base/error.h"
#include "core/io/files.h"
#include "experiments/report/table_views.h"
#include "experiments/study/build_info.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

// value, lo, hi with the decimals they need together: metrics of other sizes stand in the rows beside.
std::vector<std::string> shown(const Interval& i) {
  return report::display_cells({"", "", std::vector<double>{i.value, i.lo, i.hi}});
}

// JSON has no infinity: "inf", "-inf" as text, null for what is not known.
Value json_number(double v) {
  if (std::isnan(v)) return Value();
  return std::isinf(v) ? Value::text(v > 0 ? "inf" : "-inf") : Value::number(v);
}

Value json_texts(const std::vector<std::string>& lines) {
  Value out = Value::list();
  for (const std::string& line : lines) out.items.push_back(Value::text(line));
  return out;
}

Value json_file(const UsedFile& file) {
  Value out = Value::map();
  out.at_or_add("file") = Value::text(file.path);
  out.at_or_add("network") = Value::text(file.name);
  out.at_or_add("sha256") = Value::text(sha256_file(file.path));
  return out;
}

std::string program() { return concat("svdlab ", build_info().version, " ", build_info().commit); }

Value json_row(const Measured& m) {
  Value row = Value::map();
  row.at_or_add("metric") = Value::text(m.metric);
  row.at_or_add("unit") = Value::text(m.unit);
  row.at_or_add("value") = json_number(m.interval.value);
  row.at_or_add("lo") = json_number(m.interval.lo);
  row.at_or_add("hi") = json_number(m.interval.hi);
  row.at_or_add("n") = m.interval.n > 0 ? Value::integer(m.interval.n) : Value();
  row.at_or_add("implementation") = Value::text(m.implementation);
  row.at_or_add("program") = Value::text(program());
  row.at_or_add("compared_with") = Value::text(m.compared_with);
  return row;
}

std::string head(const EvalResult& r) {
  const std::string what = r.n == 0 ? "" : concat(r.n, r.paired ? " pairs of " : " of ");
  std::string out = r.reference.empty() ? concat(r.n, " items of ", r.generated)
                                        : concat(what, r.reference, " and ", r.generated);
  if (!r.left_out.empty()) out += concat(", ", r.left_out.size(), " without partner left out");
  return out + "\n";
}

Table table_of(const Measurements& measured) {
  Table t{"metrics",
          {text_column("metric"), text_column("value"), text_column("unit"), text_column("95 % interval"),
           text_column("n"), text_column("implementation")}};
  for (const Measured& m : measured.values) {
    const std::vector<std::string> cells = shown(m.interval);
    texts(t, "metric").push_back(m.metric);
    texts(t, "value").push_back(cells[0]);
    texts(t, "unit").push_back(m.unit);
    texts(t, "95 % interval")
        .push_back(std::isnan(m.interval.lo) ? "" : "[" + cells[1] + ", " + cells[2] + "]");
    texts(t, "n").push_back(m.interval.n > 0 ? std::to_string(m.interval.n) : "?");
    texts(t, "implementation").push_back(m.implementation);
  }
  return t;
}

}  // namespace

std::string eval_json(const EvalResult& r) {
  Value out = Value::map();
  out.at_or_add("reference") = Value::text(r.reference);
  out.at_or_add("generated") = Value::text(r.generated);
  out.at_or_add("n") = Value::integer(r.n);
  out.at_or_add("left_out") = json_texts(r.left_out);
  out.at_or_add("notes") = json_texts(r.measured.notes);
  out.at_or_add("svdlab") = Value::text(build_info().version + " " + build_info().commit);
  Value& rows = out.at_or_add("metrics") = Value::list();
  for (const Measured& m : r.measured.values) rows.items.push_back(json_row(m));
  for (const UsedFile& file : r.files) out.at_or_add(file.role) = json_file(file);
  return out.canonical_json() + "\n";
}

std::string eval_table(const EvalResult& r) {
  std::set<std::string> against;
  for (const Measured& m : r.measured.values) against.insert(m.compared_with);
  std::string out = head(r) + report::to_terminal(table_of(r.measured)) + "compared with ";
  for (const std::string& a : against) out += (a == *against.begin() ? "" : ", ") + a;
  out += concat("; ", program(), "\n");
  for (const std::string& note : r.measured.notes) out += note + "\n";
  return out;
}

}  // namespace svdlab
