#pragma once
#include <cmath>

#include "core/base/error.h"
#include "core/io/files.h"
#include "experiments/compare/compared_file.h"
#include "experiments/study/cell_file.h"
#include "experiments/study/schema.h"
#include "experiments/study/table_rows.h"

namespace svdlab::testing {

/// Results of two cells with two layers, two steps and four items, in which every number is known:
/// output_sqnr_db 20, 21 in int4/rtn, 30, 31 in nvfp4/rtn; psnr_db 28 + item; bits_per_weight 4.25.
inline std::vector<Table> known_tables() {
  std::vector<Table> tables = result_tables();
  for (Table& t : tables) {
    const auto row = [&](const std::string& cell, const std::map<std::string, std::string>& words,
                         const std::map<std::string, double>& values) {
      for (Column& c : t.columns) {
        const auto word = words.find(c.name);
        const auto value = values.find(c.name);
        if (auto* v = std::get_if<std::vector<std::string>>(&c.values))
          v->push_back(c.name == "cell" ? cell : word == words.end() ? "" : word->second);
        else if (auto* v = std::get_if<std::vector<int64_t>>(&c.values))
          v->push_back(value == values.end() ? 0 : static_cast<int64_t>(value->second));
        else
          std::get<std::vector<double>>(c.values).push_back(value == values.end() ? 1 : value->second);
      }
    };
    const double nan = std::nan("");
    if (t.name == "/cells")
      row("16-bit", {{"status", "reference"}}, {{"psnr_db", nan}, {"output_sqnr_db", nan}});
    if (t.name == "/samples") row("16-bit", {{"item", "item-0"}}, {{"psnr_db", nan}, {"ssim", nan}});
    for (const auto& [cell, sqnr] : {std::pair("int4/rtn", 20.0), std::pair("nvfp4/rtn", 30.0)}) {
      if (t.name == "/cells") row(cell, {{"status", "ok"}}, {{"psnr_db", 29.5}, {"bits_per_weight", 4.25}});
      for (int i = 0; i < 2; ++i) {
        const std::string layer = i == 0 ? "block.0.to_q" : "block.1.to_q";
        if (t.name == "/layers") row(cell, {{"layer", layer}, {"role", "q"}}, {{"output_sqnr_db", sqnr + i}});
        for (int step = 0; step < 2 && t.name == "/layer_steps"; ++step)
          row(cell, {{"layer", layer}}, {{"step", step}, {"output_sqnr_db", sqnr + i + step}});
        if (t.name == "/trajectory") row(cell, {}, {{"step", i}, {"latent_rel_error", 0.1 * (i + 1)}});
      }
      for (int i = 0; i < 4 && t.name == "/samples"; ++i)
        row(cell, {{"item", "item-" + std::to_string(i)}, {"png_sha256", "0"}},
            {{"psnr_db", 28.0 + i}, {"ssim", 0.9}});
    }
  }
  return tables;
}

inline ComparedFile known_file(const std::string& path = "A") {
  return {.path = path,
          .config_sha256 = "0",
          .tables = known_tables(),
          .status = {{"16-bit", "reference"}, {"int4/rtn", "ok"}, {"nvfp4/rtn", "ok"}}};
}

/// The number of a table's column in a row, to be changed.
inline double& number_at(std::vector<Table>& tables, const std::string& table, const std::string& column,
                         size_t row) {
  for (Table& t : tables)
    if (t.name == table) return numbers(t, column).at(row);
  throw Error(Errc::kUnexpected, "no table " + table);
}

inline void drop_row(std::vector<Table>& tables, const std::string& table, size_t row) {
  for (Table& t : tables)
    if (t.name == table)
      for (Column& c : t.columns)
        std::visit([&](auto& v) { v.erase(v.begin() + static_cast<int64_t>(row)); }, c.values);
}

/// Written where load_compared and the program find it.
inline void save_known(const std::string& path, const std::vector<Table>& tables) {
  save_results(path, {.tables = tables, .config_sha256 = "0", .model_sha256 = "0", .provenance_json = "{}"});
}

}  // namespace svdlab::testing
