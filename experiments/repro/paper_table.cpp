#include "experiments/repro/paper_table.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "core/base/names.h"
#include "core/io/yaml.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> text_list(const Value* list, const std::string& path) {
  std::vector<std::string> out;
  if (list == nullptr) return out;
  SVDLAB_REQUIRE(list->kind == Value::Kind::kList, Errc::kConfig, list->where, ": `", path,
                 "` must be a list");
  for (const Value& item : list->items) out.push_back(item.as_text(path));
  return out;
}

const Value& required(Fields& f, const std::string& key, Value::Kind kind, const char* what) {
  const Value* v = f.child(key);
  SVDLAB_REQUIRE(v != nullptr && v->kind == kind, Errc::kConfig, f.where(), ": `", f.path_of(key),
                 "` must be ", what);
  return *v;
}

std::string parse_source(const Value& value) {
  Fields f(value, "source");
  const std::string arxiv = f.text("arxiv", ""), repository = f.text("repository", ""),
                    commit = f.text("commit", ""), place = f.required_text("place");
  f.finish();
  SVDLAB_REQUIRE(arxiv.empty() == !repository.empty() && repository.empty() == commit.empty(), Errc::kConfig,
                 value.where,
                 ": `source` must be {arxiv: id with version, place} or {repository, commit, place}");
  return (arxiv.empty() ? repository + " @ " + commit : "arXiv:" + arxiv) + ", " + place;
}

PaperMetric parse_metric(const std::string& name, const Value& value) {
  Fields f(value, "metrics." + name);
  PaperMetric m{
      .name = name, .unit = f.text("unit", ""), .implementation = f.required_text("implementation")};
  const std::string better = f.required_text("better");
  SVDLAB_REQUIRE(better == "higher" || better == "lower", Errc::kConfig, value.where, ": `",
                 f.path_of("better"), "` must be higher or lower, not \"", better, "\"");
  m.higher_is_better = better == "higher";
  m.ours = f.text("ours", "");
  m.needs = f.text("needs", "");
  m.stand_in = f.text("stand_in", "");
  m.absent = f.text("absent", "");
  m.band = f.number("band", 0);
  m.limit = f.number("limit", 0);
  f.finish();
  SVDLAB_REQUIRE(m.ours.empty() != m.absent.empty(), Errc::kConfig, value.where, ": `metrics.", name,
                 "` takes either `ours` or `absent`, the reason why there is none");
  SVDLAB_REQUIRE(m.band >= 0 && m.limit >= 0, Errc::kConfig, value.where, ": `metrics.", name,
                 "` has a negative band or limit");
  return m;
}

// "figure": the source shows it and gives no number. null: the source has no such cell.
void add_cell(PaperTable& table, PaperCell cell, const Value& value) {
  if (value.kind == Value::Kind::kNull) return;
  if (!(value.kind == Value::Kind::kScalar && value.scalar == "figure"))
    cell.value = value.as_number(cell.label());
  for (const PaperCell& other : table.cells)
    SVDLAB_REQUIRE(other.label() != cell.label(), Errc::kConfig, value.where, ": cell ", cell.label(),
                   " is there twice");
  table.cells.push_back(std::move(cell));
}

void parse_column(PaperTable& table, const PaperCell& place, const std::vector<std::string>& metrics,
                  const Value& rows) {
  SVDLAB_REQUIRE(rows.kind == Value::Kind::kMap, Errc::kConfig, rows.where, ": column ", place.column,
                 " must be a map of rows");
  for (const auto& [row, values] : rows.members) {
    SVDLAB_REQUIRE(values.kind == Value::Kind::kList && values.items.size() == metrics.size(), Errc::kConfig,
                   values.where, ": row ", row, " must be a list of ", metrics.size(),
                   " values, one a metric");
    for (size_t i = 0; i < metrics.size(); ++i) {
      PaperCell cell = place;
      cell.row = row, cell.metric = metrics[i];
      add_cell(table, std::move(cell), values.items[i]);
    }
  }
}

void parse_section(PaperTable& table, const Value& value, const std::string& path, int64_t n) {
  Fields f(value, path);
  PaperSection section{.name = f.required_text("section"),
                       .models = text_list(f.child("models"), f.path_of("models")),
                       .steps = f.integer("steps", 0)};
  if (section.models.empty()) section.models = {section.name};
  for (const PaperSection& other : table.sections)
    SVDLAB_REQUIRE(other.name != section.name, Errc::kConfig, value.where, ": section ", section.name,
                   " is there twice");
  PaperCell place{.section = section.name, .n = f.integer("n", n)};
  const std::vector<std::string> metrics = text_list(f.child("metrics"), f.path_of("metrics"));
  SVDLAB_REQUIRE(!metrics.empty(), Errc::kConfig, value.where, ": `", path, ".metrics` is missing");
  for (const std::string& name : metrics) table.metric(name);
  const Value& columns = required(f, "columns", Value::Kind::kMap, "a map of columns");
  f.finish();
  table.sections.push_back(section);
  for (const auto& [column, rows] : columns.members) {
    place.column = column;
    parse_column(table, place, metrics, rows);
  }
}

std::set<std::string> row_names(const PaperTable& table) {
  std::set<std::string> out;
  for (const PaperCell& c : table.cells) out.insert(c.row);
  return out;
}

void check_row(const PaperTable& table, const std::string& row, const std::string& where) {
  const std::set<std::string> rows = row_names(table);
  SVDLAB_REQUIRE(rows.count(row) > 0, Errc::kConfig, where, ": no cell has the row \"", row,
                 "\"; nearest: \"", nearest(row, {rows.begin(), rows.end()}), "\"");
}

const PaperCell* find_cell(const PaperTable& table, const PaperCell& like, const std::string& row) {
  for (const PaperCell& c : table.cells)
    if (c.section == like.section && c.column == like.column && c.metric == like.metric && c.row == row)
      return &c;
  return nullptr;
}

/// The published values of two rows, wherever both have one and it is no tie, decide which is better.
void compare_values(PaperTable& table, const std::string& a, const std::string& b, const std::string& where) {
  check_row(table, a, where);
  check_row(table, b, where);
  for (const PaperCell& cell : table.cells) {
    const PaperMetric& metric = table.metric(cell.metric);
    const PaperCell* other = cell.row == a ? find_cell(table, cell, b) : nullptr;
    if (other == nullptr || metric.ours.empty() || !cell.value || !other->value) continue;
    const double gain = (*other->value - *cell.value) * (metric.higher_is_better ? 1 : -1);
    // Published values have few digits: 0.09 - 0.08 must count as 0.01.
    if (std::abs(gain) <= metric.band + 1e-9) continue;
    const PaperCell& better = gain > 0 ? *other : cell;
    const PaperCell& worse = gain > 0 ? cell : *other;
    table.orderings.push_back({.section = cell.section,
                               .column = cell.column,
                               .metric = cell.metric,
                               .better = better.row,
                               .worse = worse.row,
                               .gauge = "",
                               .difference = *better.value - *worse.value});
  }
}

void parse_compare(PaperTable& table, const Value* chains) {
  if (chains == nullptr) return;
  for (const Value& chain : chains->items) {
    const std::vector<std::string> rows = text_list(&chain, "compare");
    SVDLAB_REQUIRE(rows.size() >= 2, Errc::kConfig, chain.where,
                   ": `compare` takes lists of two rows or more");
    for (size_t i = 1; i < rows.size(); ++i) compare_values(table, rows[i - 1], rows[i], chain.where);
  }
}

/// Orderings that the source states without numbers, wherever both rows are.
void parse_claim(PaperTable& table, const Value& value) {
  Fields f(value, "claims");
  PaperOrdering o{.metric = f.required_text("metric")};
  if (f.has("alike")) {
    o.better = f.required_text("alike");
    o.worse = f.required_text("to");
    o.gauge = f.required_text("gauge");
  } else {
    o.better = f.required_text("better");
    o.worse = f.required_text("worse");
  }
  f.finish();
  table.metric(o.metric);
  for (const std::string& row : {o.better, o.worse, o.gauge.empty() ? o.worse : o.gauge})
    check_row(table, row, value.where);
  for (const PaperCell& c : table.cells) {
    if (c.row != o.better || c.metric != o.metric || find_cell(table, c, o.worse) == nullptr) continue;
    o.section = c.section, o.column = c.column;
    table.orderings.push_back(o);
  }
}

void parse_rows(PaperTable& table, const Value* rows) {
  if (rows == nullptr) return;
  SVDLAB_REQUIRE(!table.study.empty(), Errc::kConfig, rows->where,
                 ": `rows` needs a `study` that has the cells");
  Fields f(*rows, "rows");
  for (const auto& [row, value] : rows->members) {
    check_row(table, row, value.where);
    if (value.kind == Value::Kind::kScalar) {
      table.rows[row] = {value.as_text(f.path_of(row)), ""};
      continue;
    }
    Fields r(value, f.path_of(row));
    table.rows[row] = {r.required_text("cell"), r.required_text("stand_in")};
    r.finish();
  }
}

}  // namespace

const PaperMetric& PaperTable::metric(const std::string& wanted) const {
  std::vector<std::string> names;
  for (const PaperMetric& m : metrics) {
    if (m.name == wanted) return m;
    names.push_back(m.name);
  }
  throw Error(Errc::kConfig, concat("table ", name, ": unknown metric \"", wanted, "\"; nearest: \"",
                                    nearest(wanted, names), "\""));
}

const PaperSection& PaperTable::section(const std::string& wanted) const {
  std::vector<std::string> names;
  for (const PaperSection& s : sections) {
    if (s.name == wanted) return s;
    names.push_back(s.name);
  }
  throw Error(Errc::kConfig, concat("table ", name, ": unknown section \"", wanted, "\"; nearest: \"",
                                    nearest(wanted, names), "\""));
}

PaperTable parse_paper_table(const Value& value) {
  Fields f(value, "");
  PaperTable t{.name = f.required_text("table"), .title = f.required_text("title")};
  t.source = parse_source(required(f, "source", Value::Kind::kMap, "a map"));
  t.notes = text_list(f.child("notes"), "notes");
  t.protocol = required(f, "protocol", Value::Kind::kMap, "a map");
  t.study = f.text("study", "");
  for (const auto& [name, metric] : required(f, "metrics", Value::Kind::kMap, "a map").members)
    t.metrics.push_back(parse_metric(name, metric));
  const Value* n = t.protocol.find("n");
  const Value& sections = required(f, "sections", Value::Kind::kList, "a list");
  for (size_t i = 0; i < sections.items.size(); ++i)
    parse_section(t, sections.items[i], concat("sections.", i), n ? n->as_integer("protocol.n") : 0);
  SVDLAB_REQUIRE(!t.cells.empty(), Errc::kConfig, f.where(), ": table ", t.name, " has no cells");
  parse_rows(t, f.child("rows"));
  parse_compare(t, f.child("compare"));
  if (const Value* claims = f.child("claims"))
    for (const Value& claim : claims->items) parse_claim(t, claim);
  f.finish();
  return t;
}

std::vector<std::string> paper_table_names(const std::string& folder) {
  SVDLAB_REQUIRE(fs::is_directory(folder), Errc::kInput, "no folder ", folder,
                 " with published tables; start svdlab in the project's folder or give --tables DIR");
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".yaml") out.push_back(entry.path().stem().string());
  std::sort(out.begin(), out.end());
  return out;
}

PaperTable load_paper_table(const std::string& name, const std::string& folder) {
  if (name.ends_with(".yaml")) return parse_paper_table(load_yaml(name));
  const std::vector<std::string> names = paper_table_names(folder);
  SVDLAB_REQUIRE(std::find(names.begin(), names.end(), name) != names.end(), Errc::kConfig,
                 "unknown table \"", name, "\"; nearest: \"", nearest(name, names),
                 "\" (see svdlab repro list)");
  PaperTable table = parse_paper_table(load_yaml(folder + "/" + name + ".yaml"));
  SVDLAB_REQUIRE(table.name == name, Errc::kConfig, folder, "/", name, ".yaml: `table` must be ", name,
                 " like the file, not \"", table.name, "\"");
  return table;
}

}  // namespace svdlab
