#include "experiments/compare/compared_file.h"

#include <algorithm>
#include <bit>
#include <filesystem>

#include "core/base/error.h"
#include "experiments/report/text.h"
#include "experiments/study/provenance.h"
#include "experiments/study/schema.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kKeys = {"cell",  "layer",  "group", "item", "step", "index",
                                        "round", "branch", "mode",  "unit", "node"};

bool one_of(const std::string& name, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string results_path(const std::string& path) {
  const std::string file = fs::is_directory(path) ? path + "/results.h5" : path;
  SVDLAB_REQUIRE(fs::exists(file), Errc::kInput, file,
                 " does not exist; give a results.h5 or the folder of a finished run");
  return file;
}

}  // namespace

std::vector<Table> comparable_tables() {
  std::vector<Table> out = result_tables();
  for (Table& t : analysis_tables()) out.push_back(std::move(t));
  return out;
}

const Column* find_column(const Table& table, const std::string& name) {
  for (const Column& c : table.columns)
    if (c.name == name) return &c;
  return nullptr;
}

bool is_identifier(const Column& c) {
  static const std::vector<std::string> more = {"block", "role", "scheme", "method", "outliers"};
  return (one_of(c.name, kKeys) || one_of(c.name, more)) &&
         !std::holds_alternative<std::vector<double>>(c.values);
}

std::vector<std::string> key_columns(const Table& table) {
  std::vector<std::string> keys;
  for (const Column& c : table.columns)
    if (one_of(c.name, kKeys) && !(c.name == "group" && one_of("layer", keys))) keys.push_back(c.name);
  return keys;
}

bool is_metric(const Column& c) { return !is_identifier(c) && c.name.find("seconds") == std::string::npos; }

ComparedFile load_compared(const std::string& path) {
  ComparedFile out{.path = results_path(path)};
  const Hdf5Reader file(out.path);
  const std::string schema = file.attribute("schema");
  SVDLAB_REQUIRE(schema == kSchema, Errc::kConfig, out.path, ": schema is \"", schema,
                 "\", this program reads \"", kSchema, "\"");
  out.config_sha256 = file.attribute("config_sha256");
  for (const Table& known : comparable_tables())
    if (file.has(known.name)) out.tables.push_back(file.table(known.name));
  const Table* cells = find_table(out.tables, "/cells");
  SVDLAB_REQUIRE(cells != nullptr, Errc::kInput, out.path, ": has no table /cells");
  for (size_t i = 0; i < cells->rows(); ++i)
    out.status[texts(*cells, "cell")[i]] = texts(*cells, "status")[i];
  return out;
}

std::string value_text(const Column& column, size_t row) {
  if (const auto* v = std::get_if<std::vector<double>>(&column.values)) return report::shortest((*v)[row]);
  if (const auto* v = std::get_if<std::vector<int64_t>>(&column.values)) return std::to_string((*v)[row]);
  return std::get<std::vector<std::string>>(column.values)[row];
}

double value_number(const Column& column, size_t row) {
  if (const auto* v = std::get_if<std::vector<double>>(&column.values)) return (*v)[row];
  if (const auto* v = std::get_if<std::vector<int64_t>>(&column.values))
    return static_cast<double>((*v)[row]);
  throw Error(Errc::kInput, concat("column \"", column.name, "\" holds text, not numbers"));
}

bool same_value(const Column& a, size_t row_a, const Column& b, size_t row_b) {
  if (a.values.index() != b.values.index()) return false;
  const auto* x = std::get_if<std::vector<double>>(&a.values);
  if (x == nullptr) return value_text(a, row_a) == value_text(b, row_b);
  const double u = (*x)[row_a], v = std::get<std::vector<double>>(b.values)[row_b];
  return std::bit_cast<uint64_t>(u) == std::bit_cast<uint64_t>(v) || (u != u && v != v);
}

}  // namespace svdlab
