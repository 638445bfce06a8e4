#pragma once
#include <string>
#include <vector>

#include "core/io/hdf5.h"

namespace svdlab {

/// The result of one cell, or of the whole run: result_tables() with rows, and analysis_tables() where
/// an analysis filled them. Attributes of the file are schema,
/// config hash, model hash and what the program was built from; /config and /provenance hold YAML and JSON.
struct ResultFile {
  std::vector<Table> tables;
  std::string config_sha256, model_sha256;
  std::string config_yaml;      ///< "" in cell files
  std::string provenance_json;  ///< build and machine: the same in every run on one computer

  Table& table(const std::string& name);
  const Table& table(const std::string& name) const;
};

/// Written to a temporary and renamed.
void save_results(const std::string& path, const ResultFile& results);
/// kInput when damaged, kConfig for another schema.
ResultFile load_results(const std::string& path);

}  // namespace svdlab
