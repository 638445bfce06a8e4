#include "experiments/quantize/quantize_config.h"

#include "core/io/yaml.h"
#include "experiments/study/cell_config.h"
#include "experiments/study/scheme_config.h"

namespace svdlab {
namespace {

constexpr const char* kDefaults = R"(
description: ""
scheme: ""
method: ""
plan: default
schemes: {}
methods: {}
score_tokens: 1024
)";

// The cell as a study would list it. A plan without $method needs none, but a cell has one.
Value one_cell(const std::string& scheme, const std::string& method, const Value& plan,
               const std::string& where) {
  const bool needs_method = to_yaml(plan).find("$method") != std::string::npos;
  SVDLAB_REQUIRE(!needs_method || !method.empty(), Errc::kConfig, where,
                 ": `method` is missing, which the plan's $method stands for (see svdlab list methods)");
  SVDLAB_REQUIRE(needs_method || method.empty(), Errc::kConfig, where, ": `method` is ", method,
                 ", but the plan has no $method to put it into");
  Value cell = Value::map();
  cell.where = where;
  cell.at_or_add("name") = Value::text("quantize");
  cell.at_or_add("scheme") = Value::text(scheme);
  cell.at_or_add("method") = Value::text(needs_method ? method : "rtn");
  Value list = Value::list();
  list.items.push_back(std::move(cell));
  return list;
}

}  // namespace

QuantizeConfig load_quantize_config(const std::vector<std::string>& files,
                                    const std::vector<std::string>& overrides) {
  SVDLAB_REQUIRE(!files.empty(), Errc::kConfig,
                 "no configuration given; use --config with a file of experiments/configs/quantize/");
  Value value = parse_yaml(kDefaults, "defaults");
  for (const std::string& file : files) value = merge(value, load_yaml(file));
  Value& plan = value.at_or_add("plan");
  if (plan.kind == Value::Kind::kScalar && plan.scalar == "default") plan = default_plan();
  for (const std::string& text : overrides) apply_override(value, text);
  Fields f(value, "");
  f.text("description", "");
  const std::string scheme = f.text("scheme", ""), method = f.text("method", "");
  const CellParts parts{.schemes = parse_schemes(f.child("schemes")),
                        .methods = parse_methods(f.child("methods")),
                        .plan = f.child("plan")};
  QuantizeConfig config;
  config.score_tokens = f.integer("score_tokens", 0);
  SVDLAB_REQUIRE(config.score_tokens > 0 && config.score_tokens <= 1 << 20, Errc::kConfig, f.where(),
                 ": `score_tokens` must be in [1, 1048576], not ", config.score_tokens);
  f.finish();
  const Value list = one_cell(scheme, method, *parts.plan, files.back());
  config.cell = parse_cells(parts, nullptr, nullptr, nullptr, &list, files.back()).front();
  return config;
}

Value resolved_config(const Plan& plan, int64_t score_tokens) {
  Value rules = Value::list();
  for (const PlanRule& rule : plan) {
    Value v = Value::map();
    v.at_or_add("match") = Value::text(rule.match);
    v.at_or_add("scheme") = Value::text(rule.scheme.name);
    v.at_or_add("formats") = scheme_to_value(rule.scheme);
    v.at_or_add("recipe") = rule.recipe.to_value();
    rules.items.push_back(std::move(v));
  }
  Value out = Value::map();
  out.at_or_add("plan") = rules;
  out.at_or_add("score_tokens") = Value::integer(score_tokens);
  return out;
}

}  // namespace svdlab
