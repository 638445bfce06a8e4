#include "experiments/study/cell_file.h"

#include "core/base/error.h"
#include "experiments/study/provenance.h"
#include "experiments/study/schema.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

/// Tables that files of this schema from before lack.
bool is_younger(const std::string& table) {
  return table == "/search" || table == "/paths" || table == "/backends";
}

}  // namespace

const Table& ResultFile::table(const std::string& name) const {
  const Table* found = find_table(tables, name);
  SVDLAB_REQUIRE(found != nullptr, Errc::kInput, "results have no table ", name);
  return *found;
}

Table& ResultFile::table(const std::string& name) {
  return const_cast<Table&>(static_cast<const ResultFile*>(this)->table(name));
}

void save_results(const std::string& path, const ResultFile& results) {
  Hdf5Writer file(path);
  file.attribute("schema", kSchema);
  file.attribute("config_sha256", results.config_sha256);
  file.attribute("model_sha256", results.model_sha256);
  if (!results.config_yaml.empty()) file.text("/config", results.config_yaml);
  file.text("/provenance", results.provenance_json);
  for (const Table& table : results.tables) file.table(table);
  file.close();
}

ResultFile load_results(const std::string& path) {
  const Hdf5Reader file(path);
  const std::string schema = file.attribute("schema");
  SVDLAB_REQUIRE(schema == kSchema, Errc::kConfig, path, ": schema is \"", schema,
                 "\", this program reads \"", kSchema, "\"");
  ResultFile out;
  out.config_sha256 = file.attribute("config_sha256");
  out.model_sha256 = file.attribute("model_sha256");
  if (file.has("/config")) out.config_yaml = file.text("/config");
  out.provenance_json = file.text("/provenance");
  std::vector<Table> expected = result_tables();
  for (Table& table : analysis_tables())
    if (file.has(table.name)) expected.push_back(std::move(table));
  for (Table& empty : expected) {
    if (is_younger(empty.name) && !file.has(empty.name)) {
      out.tables.push_back(std::move(empty));
      continue;
    }
    Table stored = file.table(empty.name);
    try {
      append_rows(empty, stored);
    } catch (const Error& e) {
      throw Error(e.code(), concat(path, ": written by another version of this program: ", e.what()));
    }
    out.tables.push_back(std::move(empty));
  }
  return out;
}

}  // namespace svdlab
