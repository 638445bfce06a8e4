#include <cmath>

#include "core/io/yaml.h"
#include "experiments/repro/measured.h"
#include "experiments/repro/study_cells.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

MeasuredValue of_pictures(const ResultFile& results, size_t row, const std::string& name,
                          const std::string& unit, const std::string& implementation) {
  const Table &cells = results.table("/cells"), &samples = results.table("/samples");
  const std::string suffix = unit.empty() ? "" : "_" + unit;
  MeasuredValue out{.interval = {.value = numbers(cells, name + suffix)[row],
                                 .lo = numbers(cells, name + "_lo" + suffix)[row],
                                 .hi = numbers(cells, name + "_hi" + suffix)[row],
                                 .n = integers(cells, "n")[row]},
                    .implementation = implementation};
  for (const size_t r : rows_where(samples, "cell", texts(cells, "cell")[row]))
    out.items[texts(samples, "item")[r]] = numbers(samples, name + suffix)[r];
  return out;
}

/// Stored bits of the 16-bit run over those of the cell, both of the whole transformer.
MeasuredValue size_ratio(const Table& cells, size_t row) {
  double bits = std::nan("");
  for (const size_t r : rows_where(cells, "status", "reference"))
    if (texts(cells, "outliers")[r] == texts(cells, "outliers")[row]) bits = numbers(cells, "model_bits")[r];
  return {.interval = {.value = bits / numbers(cells, "model_bits")[row],
                       .lo = std::nan(""),
                       .hi = std::nan(""),
                       .n = 1},
          .implementation = "stored bits of the whole transformer"};
}

MeasuredRow row_of(const ResultFile& results, const RowMeasurement& how, const std::string& cell) {
  const Table& cells = results.table("/cells");
  const std::vector<size_t> found = rows_where(cells, "cell", cell);
  if (found.empty()) return {.missing = "the results have no cell " + cell};
  const size_t row = found[0];
  if (texts(cells, "status")[row] != "ok")
    return {.missing = concat("our cell ", cell, " ", texts(cells, "status")[row], ": ",
                              texts(cells, "message")[row])};
  MeasuredRow out{.cell = cell, .stand_in = how.stand_in};
  out.metrics["psnr_mean"] = of_pictures(results, row, "psnr", "db", "mean over 8-bit pictures");
  out.metrics["ssim_tm"] = of_pictures(results, row, "ssim", "", "Gaussian window 11 x 11, sigma 1.5");
  out.metrics["size_ratio"] = size_ratio(cells, row);
  return out;
}

const Value& config_at(const Value& config, const std::string& key) {
  const Value* v = config.find(key);
  SVDLAB_REQUIRE(v != nullptr, Errc::kInput, "results without `", key, "` in their configuration");
  return *v;
}

}  // namespace

MeasuredTable measured_in_study(const PaperTable& table, const ResultFile& results) {
  SVDLAB_REQUIRE(!table.study.empty(), Errc::kConfig, "table ", table.name,
                 " is measured by no study; give --results a folder of svdlab eval --json documents");
  const Value config = parse_yaml(results.config_yaml, "config");
  const std::string study = config_at(config, "study").as_text("study"),
                    wanted = load_yaml(table.study).find("study")->as_text("study");
  SVDLAB_REQUIRE(study == wanted || study == repro_study_name(table), Errc::kConfig, "results of study ",
                 study, "; table ", table.name, " takes those of study ", wanted, " (", table.study, ")");
  MeasuredTable out{.origin = "study " + study,
                    .fingerprint = results.config_sha256,
                    .model = folder_name(config_at(config, "model").as_text("model")),
                    .model_sha256 = results.model_sha256};
  out.steps = config_at(config_at(config, "protocol"), "steps").as_integer("protocol.steps");
  for (const PaperCell& c : table.cells) {
    const auto how = table.rows.find(c.row);
    out.rows[{c.section, c.column, c.row}] =
        how == table.rows.end() ? MeasuredRow{.missing = "study " + wanted + " has no cell for this row"}
                                : row_of(results, how->second, study_cell(how->second, c.column));
  }
  return out;
}

}  // namespace svdlab
