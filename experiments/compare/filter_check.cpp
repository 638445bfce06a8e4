#include "experiments/compare/filter_check.h"

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/base/names.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

bool has_wildcard(const std::string& pattern) { return pattern.find_first_of("*?") != std::string::npos; }

std::vector<std::string> values_of(const std::string& column, const Table& a, const Table& b) {
  std::set<std::string> values;
  for (const Table* t : {&a, &b})
    if (const Column* c = find_column(*t, column))
      for (size_t row = 0; row < t->rows(); ++row) values.insert(value_text(*c, row));
  return {values.begin(), values.end()};
}

}  // namespace

void check_patterns(const RowFilter& filter, const Table& a, const Table& b, const std::string& what) {
  for (const auto& [column, pattern] : filter) {
    if (column == "table") continue;
    const std::vector<std::string> values = values_of(column, a, b);
    if (std::any_of(values.begin(), values.end(),
                    [&p = pattern](const std::string& v) { return glob_match(p, v); }))
      continue;
    throw Error(Errc::kConfig,
                concat(what, ": ", column, " \"", pattern, "\" is in neither file",
                       has_wildcard(pattern) ? "" : "; nearest: \"" + nearest(pattern, values) + "\""));
  }
}

void check_only(const RowFilter& only, const ComparedFile& a, const ComparedFile& b) {
  std::vector<std::string> columns = {"table"}, tables;
  for (const Table& t : a.tables) {
    tables.push_back(t.name.substr(1));
    for (const Column& c : t.columns)
      if (is_identifier(c)) columns.push_back(c.name);
  }
  for (const auto& [column, pattern] : only) {
    SVDLAB_REQUIRE(std::find(columns.begin(), columns.end(), column) != columns.end(), Errc::kConfig,
                   "--only: no table has a column \"", column, "\"; nearest: \"", nearest(column, columns),
                   "\"");
    SVDLAB_REQUIRE(column != "table" || has_wildcard(pattern) ||
                       std::find(tables.begin(), tables.end(), pattern) != tables.end(),
                   Errc::kConfig, "--only: unknown table \"", pattern, "\"; nearest: \"",
                   nearest(pattern, tables), "\"");
  }
  // Patterns are looked up in the first table that has all their columns.
  for (const Table& t : a.tables)
    if (const Table* other = find_table(b.tables, t.name); other && filter_applies(only, t))
      return check_patterns(only, t, *other, "--only");
}

}  // namespace svdlab
