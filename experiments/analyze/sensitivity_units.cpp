#include "experiments/analyze/sensitivity_units.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/names.h"

namespace svdlab {
namespace {

std::string unit_of(const Graph& graph, int linear, const std::string& by) {
  const LinearSpec& spec = graph.linears[linear];
  if (by == "group") return graph.group_of(linear).name;
  if (by == "role") return to_string(spec.role);
  return spec.block.empty() ? "outside blocks" : spec.block;
}

CompressedModel chosen(const CompressedModel& model, const SensitivityUnit& unit, bool inside) {
  CompressedModel out;
  for (const auto& [name, linear] : model.linears)
    if ((unit.linears.count(name) > 0) == inside) out.linears.emplace(name, linear);
  return out;
}

}  // namespace

void require_unit_kind(const std::string& by) {
  const std::vector<std::string> words = {"block", "group", "role"};
  SVDLAB_REQUIRE(std::find(words.begin(), words.end(), by) != words.end(), Errc::kConfig,
                 "--by must be block, group or role, not \"", by, "\"; nearest: ", nearest(by, words));
}

std::vector<SensitivityUnit> sensitivity_units(const Graph& graph, const CompressedModel& model,
                                               const std::string& by) {
  require_unit_kind(by);
  std::vector<SensitivityUnit> units;
  for (size_t i = 0; i < graph.linears.size(); ++i) {
    const LinearSpec& spec = graph.linears[i];
    if (!model.linears.count(spec.name)) continue;
    const std::string name = unit_of(graph, static_cast<int>(i), by);
    auto unit = std::find_if(units.begin(), units.end(), [&](const auto& u) { return u.name == name; });
    if (unit == units.end()) unit = units.insert(unit, {.name = name});
    unit->linears.insert(spec.name);
    unit->weights += spec.weight.numel();
  }
  return units;
}

CompressedModel only(const CompressedModel& model, const SensitivityUnit& unit) {
  return chosen(model, unit, true);
}

CompressedModel all_but(const CompressedModel& model, const SensitivityUnit& unit) {
  return chosen(model, unit, false);
}

}  // namespace svdlab
