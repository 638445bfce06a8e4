#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/ir/graph.h"
#include "experiments/study/study_config.h"

namespace svdlab {

/// What the cells of a study are put together from.
struct CellParts {
  std::vector<Scheme> schemes;  ///< defined by the study; the built-in ones come on top
  /// defined by the study; method presets come on top
  std::map<std::string, Recipe> methods;
  const Value* plan = nullptr;  ///< list of {match, recipe, optional}
  OutlierDial outliers;         ///< of cells that do not carry their own
};

std::vector<Scheme> parse_schemes(const Value* map);
std::map<std::string, Recipe> parse_methods(const Value* map_or_list);

/// Cells of the grid `schemes` x `methods`, less `exclude`, and then those of `list`; see study_config.h.
std::vector<Cell> parse_cells(const CellParts& parts, const Value* schemes, const Value* methods,
                              const Value* exclude, const Value* list, const std::string& where);

/// File name of a cell: `name` with everything but letters, digits and -_.+ replaced, and the dial's tag in
/// it.
std::string cell_slug(const std::string& name, const std::string& outliers_tag);

/// Cells as the list that parse_cells reads back.
Value cells_to_value(const std::vector<Cell>& cells);

/// The built-in plan, as the list it stands for: adaLN linears in 4-bit weights, everything else inside
/// blocks by the cell's scheme and method, the rest in 16 bit.
Value default_plan();

/// The cell's plan for one model: without optional rules that match no linear of the graph.
Plan plan_for(const Graph& graph, const Cell& cell);

}  // namespace svdlab
