#include "experiments/study/cell_config.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <set>

#include "core/base/names.h"
#include "core/io/yaml.h"
#include "experiments/study/scheme_config.h"

namespace svdlab {
namespace {

constexpr const char* kDefaultPlan = R"(
- {match: "*.norm1.linear", recipe: {scheme: w4a16-int4-g64, method: rtn}, optional: true}
- {match: "*.norm1_context.linear", recipe: {scheme: w4a16-int4-g64, method: rtn}, optional: true}
- {match: "*.norm.linear", recipe: {scheme: w4a16-int4-g64, method: rtn}, optional: true}
- {match: "*blocks.*", recipe: {scheme: $scheme, method: $method}}
- {match: "*", recipe: {scheme: bf16}}
)";

bool is_null(const Value* v) { return v == nullptr || v->kind == Value::Kind::kNull; }

bool mentions(const Value& v, const std::string& text) {
  if (v.kind == Value::Kind::kScalar) return v.scalar == text;
  for (const Value& item : v.items)
    if (mentions(item, text)) return true;
  for (const Value::Member& m : v.members)
    if (mentions(m.second, text)) return true;
  return false;
}

// A copy of `v` in which every text that is `from` has become `to`.
Value substituted(Value v, const std::string& from, const std::string& to) {
  if (v.kind == Value::Kind::kScalar && v.scalar == from) v.scalar = to, v.quoted = true;
  for (Value& item : v.items) item = substituted(item, from, to);
  for (Value::Member& m : v.members) m.second = substituted(m.second, from, to);
  return v;
}

const MethodPreset* preset_named(const std::string& name) {
  for (const MethodPreset& p : method_presets())
    if (p.name == name) return &p;
  return nullptr;
}

Recipe find_method(const std::string& name, const CellParts& parts, const std::string& where) {
  if (const auto own = parts.methods.find(name); own != parts.methods.end()) return own->second;
  if (const MethodPreset* preset = preset_named(name))
    return parse_recipe(parse_yaml(preset->yaml, "preset " + name), name);
  std::vector<std::string> names;
  for (const auto& [own_name, recipe] : parts.methods) names.push_back(own_name);
  for (const MethodPreset& p : method_presets()) names.push_back(p.name);
  throw Error(Errc::kConfig,
              concat(where, ": unknown method \"", name, "\"; nearest: \"", nearest(name, names), "\""));
}

// {scheme, method and / or recipe keys}, placeholders already replaced.
void read_rule(const Value& value, const std::string& path, const CellParts& parts, PlanRule& rule) {
  SVDLAB_REQUIRE(value.kind == Value::Kind::kMap, Errc::kConfig, value.where, ": `", path,
                 "` must be a map {scheme, method, ...}");
  Fields f(value, path);
  rule.scheme = find_scheme(f.required_text("scheme"), parts.schemes, value.where);
  const std::string method = f.text("method", "");
  Value changes = Value::map();
  changes.where = value.where;
  for (const Value::Member& m : value.members)
    if (m.first != "scheme" && m.first != "method") changes.members.push_back(m);
  const Value base = method.empty() ? Value::map() : find_method(method, parts, value.where).to_value();
  rule.recipe = parse_recipe(merge(base, changes), path);
}

std::vector<CellRule> parse_plan(const Value& list, const CellParts& parts, const Cell& cell) {
  SVDLAB_REQUIRE(list.kind == Value::Kind::kList && !list.items.empty(), Errc::kConfig, list.where,
                 ": `plan` must be `default` or a list of {match, recipe}");
  std::vector<CellRule> rules;
  for (size_t i = 0; i < list.items.size(); ++i) {
    Fields f(list.items[i], concat("plan.", i));
    CellRule out;
    out.rule.match = f.required_text("match");
    out.rule.where = f.where();
    out.optional = f.boolean("optional", false);
    const Value* recipe = f.child("recipe");
    SVDLAB_REQUIRE(!is_null(recipe), Errc::kConfig, f.where(), ": `", f.path_of("recipe"), "` is missing");
    f.finish();
    out.subject = mentions(*recipe, "$method") || mentions(*recipe, "$scheme");
    const Value filled = substituted(substituted(*recipe, "$method", cell.method), "$scheme", cell.scheme);
    read_rule(filled, f.path_of("recipe"), parts, out.rule);
    rules.push_back(std::move(out));
  }
  return rules;
}

// Fills in everything but scheme, method, outliers and name.
Cell finished(Cell cell, const CellParts& parts, const Value& plan, const std::string& where) {
  if (cell.name.empty()) {
    cell.name = cell.scheme.empty() ? cell.method : cell.scheme + "/" + cell.method;
    if (cell.outliers.on()) cell.name += "+" + cell.outliers.tag();
  }
  SVDLAB_REQUIRE(!cell.method.empty(), Errc::kConfig, where, ": cell \"", cell.name, "\" has no method");
  SVDLAB_REQUIRE(!cell.scheme.empty() || !mentions(plan, "$scheme"), Errc::kConfig, where, ": cell \"",
                 cell.name, "\" has no scheme, which the plan's $scheme stands for");
  cell.slug = cell_slug(cell.name, cell.outliers.tag());
  find_method(cell.method, parts, where);
  cell.rules = parse_plan(plan, parts, cell);
  for (const CellRule& r : cell.rules)
    if (r.subject && cell.scheme.empty()) cell.scheme = r.rule.scheme.name;
  return cell;
}

// The name without the backend, which the study's list of backends adds again.
std::string name_in_grid(const Cell& cell) {
  const std::string suffix = "@" + cell.backend;
  const bool has = cell.name.size() > suffix.size() &&
                   cell.name.compare(cell.name.size() - suffix.size(), suffix.size(), suffix) == 0;
  return has ? cell.name.substr(0, cell.name.size() - suffix.size()) : cell.name;
}

struct Excluded {
  std::string scheme, method;
};

std::vector<Excluded> parse_exclude(const Value* list) {
  std::vector<Excluded> out;
  if (is_null(list)) return out;
  SVDLAB_REQUIRE(list->kind == Value::Kind::kList, Errc::kConfig, list->where,
                 ": `exclude` must be a list of {scheme, method}");
  for (size_t i = 0; i < list->items.size(); ++i) {
    Fields f(list->items[i], concat("exclude.", i));
    out.push_back({f.text("scheme", "*"), f.text("method", "*")});
    f.finish();
  }
  return out;
}

std::vector<std::string> names_of(const Value* list_or_map, const std::string& path) {
  std::vector<std::string> out;
  if (is_null(list_or_map)) return out;
  for (const Value& item : list_or_map->items) out.push_back(item.as_text(path));
  for (const Value::Member& m : list_or_map->members) out.push_back(m.first);
  SVDLAB_REQUIRE(list_or_map->kind != Value::Kind::kScalar, Errc::kConfig, list_or_map->where, ": `", path,
                 "` must be a list of names");
  return out;
}

std::vector<Cell> grid(const CellParts& parts, const Value* schemes, const Value* methods,
                       const Value* exclude, const Value& plan, const std::string& where) {
  const bool needs_scheme = mentions(plan, "$scheme");
  std::vector<std::string> scheme_names = names_of(schemes, "schemes");
  SVDLAB_REQUIRE(needs_scheme || scheme_names.empty(), Errc::kConfig, where,
                 ": `schemes` is given, but the plan has no $scheme to put them into");
  if (!needs_scheme) scheme_names = {""};
  const std::vector<Excluded> excluded = parse_exclude(exclude);
  std::vector<bool> used(excluded.size(), false);
  std::vector<Cell> out;
  for (const std::string& scheme : scheme_names)
    for (const std::string& method : names_of(methods, "methods")) {
      bool skip = false;
      for (size_t i = 0; i < excluded.size(); ++i)
        if (glob_match(excluded[i].scheme, scheme) && glob_match(excluded[i].method, method))
          skip = used[i] = true;
      if (!skip)
        out.push_back(
            finished({.scheme = scheme, .method = method, .outliers = parts.outliers}, parts, plan, where));
    }
  for (size_t i = 0; i < excluded.size(); ++i)
    SVDLAB_REQUIRE(used[i], Errc::kConfig, exclude->items[i].where, ": `exclude.", i,
                   "` {scheme: ", excluded[i].scheme, ", method: ", excluded[i].method, "} matches no cell");
  return out;
}

}  // namespace

std::vector<Scheme> parse_schemes(const Value* map) {
  std::vector<Scheme> out;
  if (is_null(map)) return out;
  Fields f(*map, "scheme");
  for (const Value::Member& m : map->members)
    out.push_back(parse_scheme(m.first, m.second, f.path_of(m.first)));
  return out;
}

std::map<std::string, Recipe> parse_methods(const Value* methods) {
  std::map<std::string, Recipe> out;
  if (is_null(methods)) return out;
  const CellParts none;
  for (const Value& item : methods->items) {
    const std::string name = item.as_text("methods");
    out[name] = find_method(name, none, item.where);
  }
  if (methods->kind == Value::Kind::kList) return out;
  Fields f(*methods, "methods");
  for (const auto& [name, recipe] : methods->members) {
    const bool empty =
        recipe.kind == Value::Kind::kNull || (recipe.kind == Value::Kind::kMap && recipe.members.empty());
    SVDLAB_REQUIRE(
        !empty || preset_named(name), Errc::kConfig, recipe.where, ": method `", name,
        "` has no keys and is no preset; give it stages, or `preset: ` one of svdlab list methods");
    out[name] = empty ? find_method(name, none, recipe.where) : parse_recipe(recipe, f.path_of(name));
  }
  return out;
}

std::string cell_slug(const std::string& name, const std::string& outliers_tag) {
  std::string out = name;
  for (char& c : out)
    if (!std::isalnum(static_cast<unsigned char>(c)) && !std::strchr("-_.+", c)) c = '-';
  return out.find(outliers_tag) == std::string::npos ? out + "+" + outliers_tag : out;
}

Value default_plan() { return parse_yaml(kDefaultPlan, "default plan"); }

std::vector<Cell> parse_cells(const CellParts& parts, const Value* schemes, const Value* methods,
                              const Value* exclude, const Value* list, const std::string& where) {
  const Value& plan = *parts.plan;
  const bool makes_grid = !is_null(schemes) || is_null(list);
  SVDLAB_REQUIRE(!makes_grid || !is_null(methods), Errc::kConfig, where,
                 ": the study has no cells; give `methods` (and `schemes`), or `cells`");
  SVDLAB_REQUIRE(!makes_grid || !is_null(schemes) || !mentions(plan, "$scheme"), Errc::kConfig, where,
                 ": the study has no cells; the plan's $scheme needs `schemes: [int4, ...]`");
  std::vector<Cell> cells;
  if (makes_grid) cells = grid(parts, schemes, methods, exclude, plan, where);
  if (!is_null(list)) {
    SVDLAB_REQUIRE(list->kind == Value::Kind::kList, Errc::kConfig, list->where,
                   ": `cells` must be a list of {name, scheme, method}");
    for (size_t i = 0; i < list->items.size(); ++i) {
      Fields f(list->items[i], concat("cells.", i));
      Cell cell{
          .name = f.text("name", ""), .scheme = f.text("scheme", ""), .method = f.required_text("method")};
      const Value* dial = f.child("outliers");
      cell.outliers = is_null(dial) ? parts.outliers : parse_outlier_dial(*dial, f.path_of("outliers"));
      f.finish();
      cells.push_back(finished(std::move(cell), parts, plan, list->items[i].where));
    }
  }
  SVDLAB_REQUIRE(!cells.empty(), Errc::kConfig, where, ": the study has no cells left");
  std::set<std::string> slugs;
  for (const Cell& cell : cells)
    SVDLAB_REQUIRE(slugs.insert(cell.slug).second, Errc::kConfig, where, ": two cells are called \"",
                   cell.slug, "\"; give one of them another `name`");
  return cells;
}

Value cells_to_value(const std::vector<Cell>& cells) {
  Value list = Value::list();
  std::set<std::string> listed;
  for (const Cell& cell : cells) {
    const std::string name = name_in_grid(cell);
    if (!listed.insert(name + "+" + cell.outliers.tag()).second) continue;
    Value v = Value::map();
    v.at_or_add("name") = Value::text(name);
    v.at_or_add("scheme") = Value::text(cell.scheme);
    v.at_or_add("method") = Value::text(cell.method);
    v.at_or_add("outliers") = cell.outliers.to_value();
    list.items.push_back(v);
  }
  return list;
}

Plan plan_for(const Graph& graph, const Cell& cell) {
  std::vector<bool> matched(cell.rules.size(), false);
  for (const LinearSpec& linear : graph.linears)
    for (size_t i = 0; i < cell.rules.size(); ++i)
      if (glob_match(cell.rules[i].rule.match, linear.name)) {
        matched[i] = true;
        break;
      }
  Plan plan;
  for (size_t i = 0; i < cell.rules.size(); ++i)
    if (matched[i] || !cell.rules[i].optional) plan.push_back(cell.rules[i].rule);
  return plan;
}

}  // namespace svdlab
