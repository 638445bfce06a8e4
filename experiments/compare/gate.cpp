#include "experiments/compare/gate.h"

#include <cmath>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/yaml.h"
#include "experiments/compare/compared_file.h"
#include "experiments/report/text.h"

namespace svdlab {
namespace {

struct NamedLimit {
  const char* name;
  Limit limit;
};
constexpr NamedLimit kLimits[] = {
    {"max_drop", Limit::kDrop}, {"max_rise", Limit::kRise}, {"max_change", Limit::kChange}};

std::string limit_name(Limit limit) {
  for (const NamedLimit& l : kLimits)
    if (l.limit == limit) return l.name;
  return "exact";
}

Table find_known(const std::string& name, const std::string& where) {
  const std::string path = name.substr(0, 1) == "/" ? name : "/" + name;
  std::vector<std::string> names;
  for (Table& t : comparable_tables()) {
    if (t.name == path) return std::move(t);
    names.push_back(t.name.substr(1));
  }
  throw Error(Errc::kConfig,
              concat(where, ": unknown table \"", name, "\"; nearest: \"", nearest(name, names), "\""));
}

std::string find_metric(const Table& table, const std::string& name, const std::string& where) {
  std::vector<std::string> names;
  for (const Column& c : table.columns) {
    if (!is_metric(c)) continue;
    if (c.name == name) return name;
    names.push_back(c.name);
  }
  throw Error(Errc::kConfig, concat(where, ": table ", table.name.substr(1), " has no metric \"", name,
                                    "\"; nearest: \"", nearest(name, names), "\""));
}

// 0.1, or 2% of |A|.
void read_bound(const Value& value, const std::string& path, Gate& gate) {
  Value number = value;
  if (!value.scalar.empty() && value.scalar.back() == '%') {
    gate.relative = true;
    number.scalar.pop_back();
  }
  gate.bound = number.as_number(path) / (gate.relative ? 100 : 1);
  SVDLAB_REQUIRE(gate.bound >= 0 && std::isfinite(gate.bound), Errc::kConfig, value.where, ": `", path,
                 "` must be 0 or more, or a percentage like 2%, not ", value.scalar);
}

void read_limit(Fields& f, Gate& gate) {
  std::string given;
  for (const NamedLimit& l : kLimits) {
    const Value* value = f.child(l.name);
    if (value == nullptr) continue;
    SVDLAB_REQUIRE(given.empty(), Errc::kConfig, value->where, ": a gate has one limit, not ", given, " and ",
                   l.name);
    given = l.name, gate.limit = l.limit;
    read_bound(*value, f.path_of(l.name), gate);
  }
  const bool exact = f.boolean("exact", false);
  SVDLAB_REQUIRE(given.empty() == exact, Errc::kConfig, f.where(), ": ", f.path_of("limit"),
                 ": give one of max_drop, max_rise, max_change, or exact: true");
  if (exact) gate.limit = Limit::kExact;
}

void check_direction(const Gate& gate, const std::string& where) {
  const Direction d = better_direction(gate.metric);
  const bool fits = gate.limit == Limit::kDrop   ? d == Direction::kHigher
                    : gate.limit == Limit::kRise ? d == Direction::kLower
                                                 : true;
  const char* fact = d == Direction::kHigher  ? "higher is better; use max_drop or max_change"
                     : d == Direction::kLower ? "lower is better; use max_rise or max_change"
                                              : "neither way is better; use max_change";
  SVDLAB_REQUIRE(fits, Errc::kConfig, where, ": ", limit_name(gate.limit), " on ", gate.metric, ": ", fact);
}

Gate parse_gate(const Value& value, const std::string& path) {
  Fields f(value, path);
  Gate gate;
  const Table table = find_known(f.required_text("table"), f.where());
  gate.table = table.name;
  read_limit(f, gate);
  const bool whole_table = gate.limit == Limit::kExact && !f.has("metric");
  if (!whole_table) gate.metric = find_metric(table, f.required_text("metric"), f.where());
  for (const Column& c : table.columns)
    if (is_identifier(c) && f.has(c.name)) gate.rows.emplace_back(c.name, f.text(c.name, "*"));
  gate.paired = f.boolean("paired", false);
  f.finish();
  if (gate.limit == Limit::kExact) {
    SVDLAB_REQUIRE(!gate.paired, Errc::kConfig, f.where(), ": exact and paired exclude each other");
    return gate;
  }
  SVDLAB_REQUIRE(!std::holds_alternative<std::vector<std::string>>(table.column(gate.metric).values),
                 Errc::kConfig, f.where(), ": ", gate.metric, " is text; give exact: true");
  SVDLAB_REQUIRE(!gate.paired || gate.table == "/samples", Errc::kConfig, f.where(),
                 ": paired intervals are over the items of table samples, not of ", gate.table.substr(1));
  check_direction(gate, f.where());
  return gate;
}

}  // namespace

Direction better_direction(const std::string& metric) {
  for (const char* part : {"sqnr", "psnr", "ssim", "cosine"})
    if (metric.find(part) != std::string::npos) return Direction::kHigher;
  for (const char* part : {"error", "bits", "residual_energy", "lpips", "frechet", "kid"})
    if (metric.find(part) != std::string::npos) return Direction::kLower;
  return Direction::kNone;
}

std::vector<Gate> parse_gates(const Value& list) {
  SVDLAB_REQUIRE(list.kind == Value::Kind::kList && !list.items.empty(), Errc::kConfig, list.where,
                 ": gates are a list of {table, metric, max_drop | max_rise | max_change | exact}");
  std::vector<Gate> out;
  for (size_t i = 0; i < list.items.size(); ++i)
    out.push_back(parse_gate(list.items[i], "gates." + std::to_string(i)));
  return out;
}

std::vector<Gate> load_gates(const std::string& path) { return parse_gates(load_yaml(path)); }

std::string gate_text(const Gate& gate) {
  std::string out =
      gate.table.substr(1) + (gate.metric.empty() ? "" : " " + gate.metric) + " " + limit_name(gate.limit);
  if (gate.limit != Limit::kExact)
    out += " " + (gate.relative ? report::shortest(gate.bound * 100) + "%" : report::shortest(gate.bound));
  if (gate.paired) out += " paired";
  for (const auto& [column, pattern] : gate.rows) out += ", " + column + "=" + pattern;
  return out;
}

}  // namespace svdlab
