#include "experiments/repro/study_cells.h"

#include <algorithm>
#include <set>

#include "core/base/names.h"
#include "core/io/yaml.h"

namespace svdlab {

namespace {

std::set<std::string> needed_cells(const PaperTable& table, const StudyConfig& study) {
  std::vector<std::string> names;
  for (const Cell& cell : study.cells) names.push_back(cell.name);
  std::set<std::string> needed;
  for (const PaperCell& c : table.cells) {
    const auto row = table.rows.find(c.row);
    if (row == table.rows.end()) continue;
    const std::string name = study_cell(row->second, c.column);
    SVDLAB_REQUIRE(std::find(names.begin(), names.end(), name) != names.end(), Errc::kConfig, "table ",
                   table.name, ", row ", c.row, ": study ", study.name, " has no cell ", name,
                   "; nearest: ", nearest(name, names));
    needed.insert(name);
  }
  SVDLAB_REQUIRE(!needed.empty(), Errc::kConfig, "table ", table.name, " needs no cell of study ",
                 study.name);
  return needed;
}

}  // namespace

std::string study_cell(const RowMeasurement& row, const std::string& column) {
  static const std::string kColumn = "$column";
  std::string out = row.cell;
  if (const size_t at = out.find(kColumn); at != std::string::npos) out.replace(at, kColumn.size(), column);
  return out;
}

std::string repro_study_name(const PaperTable& table) { return "repro-" + table.name; }

StudyConfig repro_study(const PaperTable& table, const std::string& protocol,
                        const std::vector<std::string>& overrides) {
  const StudyConfig whole = load_study({table.study}, {"protocol=" + protocol});
  const std::set<std::string> needed = needed_cells(table, whole);
  Value part = whole.resolved;
  part.at_or_add("study") = Value::text(repro_study_name(table));
  std::vector<Value>& cells = part.at_or_add("cells").items;
  cells.erase(std::remove_if(cells.begin(), cells.end(),
                             [&](const Value& c) { return needed.count(c.find("name")->scalar) == 0; }),
              cells.end());
  for (const std::string& text : overrides) apply_override(part, text);
  return parse_study(std::move(part));
}

}  // namespace svdlab
