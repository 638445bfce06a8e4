#pragma once
#include <set>
#include <string>
#include <vector>

#include "core/ir/compressed.h"
#include "core/ir/graph.h"

namespace svdlab {

/// Compressed linears that are turned on and off together.
struct SensitivityUnit {
  std::string name;
  std::set<std::string> linears;
  int64_t weights = 0;
};

/// kConfig unless `by` is block, group or role.
void require_unit_kind(const std::string& by);

/// The compressed linears of a model by `block`, `group` or `role`, in graph order; those outside blocks are
/// one unit.
std::vector<SensitivityUnit> sensitivity_units(const Graph& graph, const CompressedModel& model,
                                               const std::string& by);

/// `model` with only the unit's linears, and with all but them; tensors are shared.
CompressedModel only(const CompressedModel& model, const SensitivityUnit& unit);
CompressedModel all_but(const CompressedModel& model, const SensitivityUnit& unit);

}  // namespace svdlab
