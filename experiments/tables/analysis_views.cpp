#include "experiments/tables/analysis_views.h"

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "experiments/report/table_views.h"
#include "experiments/study/schema.h"
#include "experiments/study/table_rows.h"

namespace svdlab {

std::vector<AnalysisView> analysis_views(const ResultFile& results) {
  const auto filled = [&](const char* name) {
    const Table* t = find_table(results.tables, name);
    return t && t->rows() > 0 ? t : nullptr;
  };
  std::vector<AnalysisView> out;
  if (const Table* facts = filled("/layer_facts")) {
    out.push_back(layers_by_role(*facts, results.table("/layer_errors")));
    out.push_back(worst_layers(*facts, results.table("/layer_errors")));
  }
  if (const Table* s = filled("/sensitivity"))
    for (const auto& [cell, rows] : rows_by(*s, "cell")) out.push_back(sensitivity_view(*s, cell));
  if (const Table* s = filled("/spectrum_energy")) out.push_back(spectrum_view(*s));
  if (const Table* o = filled("/outlier_rank")) out.push_back(outlier_view(*o));
  if (const Table* ranges = filled("/timestep_ranges")) {
    out.push_back(step_view(results.table("/trajectory"), results.table("/layer_steps"), *ranges));
    out.push_back(drift_view(*ranges));
  }
  if (const Table* h = filled("/hidden_states")) out.push_back(hidden_view(*h));
  return out;
}

std::string analysis_caption(const ResultFile& results) {
  const Value config = parse_yaml(results.config_yaml, "config");
  const auto at = [&](const char* map, const char* key) {
    const Value* parent = config.find(map);
    const Value* v = parent ? parent->find(key) : nullptr;
    return v ? v->scalar : std::string();
  };
  const Value* model = config.find("model");
  return concat("Analysis ", at("analysis", "name"), " of ", model ? model->scalar : "", " (SHA-256 ",
                results.model_sha256.substr(0, 12), "): ", at("protocol", "steps"),
                " Euler steps; calibration ", at("calibration", "pairs"), " (item, step) pairs, seed ",
                at("calibration", "seed"), ".");
}

std::string analysis_text(const ResultFile& results) {
  std::string out;
  for (const AnalysisView& view : analysis_views(results)) {
    if (out.empty()) out = "\n" + analysis_caption(results) + "\n";
    out += "\n" + report::to_terminal(view.table, {.caption = view.title + ". " + view.caption});
  }
  return out;
}

void write_analysis_tables(const std::string& folder, const ResultFile& results) {
  for (const Table& empty : analysis_tables())
    if (const Table* table = find_table(results.tables, empty.name))
      write_file(folder + "/tables" + table->name + ".csv", report::to_csv(*table));
}

}  // namespace svdlab
