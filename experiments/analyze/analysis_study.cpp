#include "experiments/analyze/analysis_study.h"

#include <algorithm>

#include "core/base/names.h"
#include "core/io/yaml.h"
#include "experiments/analyze/sensitivity_units.h"
#include "experiments/study/cell_config.h"

namespace svdlab {
namespace {

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool is_study_file(const std::string& source) {
  return ends_with(source, ".yaml") || ends_with(source, ".yml");
}

// "int4,nvfp4" as a list; "" as `fallback`, YAML.
Value names(const std::string& list, const std::string& fallback, const std::string& where) {
  if (list.empty()) return parse_yaml(fallback, where);
  Value out = Value::list();
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    SVDLAB_REQUIRE(end > begin, Errc::kConfig, where, " \"", list,
                   "\" has an empty name; write names with one comma between");
    Value name = Value::text(list.substr(begin, end - begin));
    name.where = where;
    out.items.push_back(std::move(name));
    begin = end + 1;
  }
  return out;
}

StudyConfig study_of_model(const Analysis& analysis, const AnalysisRequest& request) {
  SVDLAB_REQUIRE(request.cell.empty(), Errc::kConfig, "--cell ", request.cell, " is of a study, and ",
                 request.source, " is taken for a model folder; give --scheme and --method, or a study.yaml");
  Value study =
      parse_yaml(concat("{study: analyze, protocol: {items: ", analysis.items, ", steps: ", analysis.steps,
                        "}, calibration: {pairs: 128, pairs_per_item: 4, tokens: 4096, seed: 0}, "
                        "guidance: null, seed: 0}"),
                 "svdlab analyze");
  study.at_or_add("model") = Value::text(request.source);
  study.at_or_add("plan") = parse_yaml(analysis.plan, "plan");
  study.at_or_add("schemes") = names(request.schemes, analysis.schemes, "--scheme");
  study.at_or_add("methods") = names(request.methods, analysis.methods, "--method");
  for (const std::string& text : request.overrides) apply_override(study, text);
  return parse_study(std::move(study));
}

StudyConfig study_of_file(AnalysisRequest request) {
  SVDLAB_REQUIRE(request.schemes.empty() && request.methods.empty(), Errc::kConfig,
                 "--scheme and --method are for a model folder; ", request.source,
                 " has cells of its own: choose one with --cell");
  request.overrides.push_back("protocol.until_half_width_db=0");  // all cells have the same items
  StudyConfig study = load_study({request.source}, request.overrides);
  if (request.cell.empty()) return study;
  std::vector<std::string> known;
  for (const Cell& cell : study.cells) known.push_back(cell.name);
  const auto found = std::find(known.begin(), known.end(), request.cell);
  SVDLAB_REQUIRE(found != known.end(), Errc::kConfig, request.source, " has no cell \"", request.cell,
                 "\"; nearest: \"", nearest(request.cell, known), "\"");
  study.cells = {study.cells[found - known.begin()]};
  study.resolved.at_or_add("cells") = cells_to_value(study.cells);
  return study;
}

}  // namespace

StudyConfig analysis_study(const Analysis& analysis, const AnalysisRequest& asked) {
  const bool sensitivity = analysis.name == "sensitivity";
  SVDLAB_REQUIRE(sensitivity || asked.options.by.empty(), Errc::kConfig, "--by ", asked.options.by,
                 " is for svdlab analyze sensitivity alone");
  if (sensitivity) require_unit_kind(asked.options.by);
  AnalysisRequest request = asked;
  if (request.items) request.overrides.push_back(concat("protocol.items=", *request.items));
  if (request.steps) request.overrides.push_back(concat("protocol.steps=", *request.steps));
  StudyConfig study =
      is_study_file(request.source) ? study_of_file(request) : study_of_model(analysis, request);
  study.name = "analyze-" + analysis.name;
  study.description = analysis.summary;
  study.resolved.at_or_add("study") = Value::text(study.name);
  study.resolved.at_or_add("description") = Value::text(study.description);
  Value& what = study.resolved.at_or_add("analysis") = Value::map();
  what.at_or_add("name") = Value::text(analysis.name);
  if (sensitivity) what.at_or_add("by") = Value::text(request.options.by);
  return study;
}

}  // namespace svdlab
