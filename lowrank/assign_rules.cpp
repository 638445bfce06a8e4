#include <algorithm>

#include "core/base/error.h"
#include "core/base/names.h"
#include "lowrank/compress_model.h"

namespace svdlab {
namespace {

int first_match(const Plan& plan, const std::string& name) {
  for (size_t r = 0; r < plan.size(); ++r)
    if (glob_match(plan[r].match, name)) return static_cast<int>(r);
  return -1;
}

void require_all_matched(const Graph& graph, const std::vector<int>& rules) {
  const int64_t unmatched = std::count(rules.begin(), rules.end(), -1);
  if (unmatched == 0) return;
  const size_t first = std::find(rules.begin(), rules.end(), -1) - rules.begin();
  throw Error(Errc::kConfig, concat("no rule of the plan matches linear ", graph.linears[first].name, " (",
                                    unmatched, " such linears); add a last rule with match \"*\""));
}

// A rule that the rules before it leave without linears is as useless as one whose pattern is misspelt.
void require_rule_wins(const Plan& plan, const std::vector<int>& rules, size_t index) {
  if (std::find(rules.begin(), rules.end(), static_cast<int>(index)) != rules.end()) return;
  const PlanRule& rule = plan[index];
  throw Error(Errc::kConfig,
              concat(rule.where, rule.where.empty() ? "" : ": ", "pattern \"", rule.match,
                     "\" never applies: earlier rules match all its linears; move it up or remove it"));
}

void require_rule_matches(const Graph& graph, const PlanRule& rule) {
  std::vector<std::string> names;
  for (const LinearSpec& linear : graph.linears) names.push_back(linear.name);
  const bool matches =
      std::any_of(names.begin(), names.end(), [&](const auto& name) { return glob_match(rule.match, name); });
  SVDLAB_REQUIRE(matches, Errc::kConfig, rule.where, rule.where.empty() ? "" : ": ", "pattern \"", rule.match,
                 "\" matches no linear; nearest: ", nearest(rule.match, names));
}

}  // namespace

std::vector<int> assign_rules(const Graph& graph, const Plan& plan) {
  std::vector<int> rules;
  for (const LinearSpec& linear : graph.linears) rules.push_back(first_match(plan, linear.name));
  for (const PlanRule& rule : plan) require_rule_matches(graph, rule);
  require_all_matched(graph, rules);
  for (size_t r = 0; r < plan.size(); ++r) require_rule_wins(plan, rules, r);
  return rules;
}

}  // namespace svdlab
