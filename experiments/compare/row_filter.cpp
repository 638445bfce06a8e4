#include "experiments/compare/row_filter.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <map>

#include "core/base/error.h"
#include "core/base/names.h"
#include "experiments/compare/compared_file.h"

namespace svdlab {
namespace {

RowFilter key_of(const Table& table, const std::vector<std::string>& keys, size_t row) {
  RowFilter out;
  for (const std::string& name : keys) out.emplace_back(name, value_text(table.column(name), row));
  return out;
}

/// Key -> rows that have it, in their order.
std::map<RowFilter, std::vector<size_t>> rows_by_key(const Table& table, const std::vector<std::string>& keys,
                                                     const RowFilter& filter) {
  std::map<RowFilter, std::vector<size_t>> out;
  for (size_t row = 0; row < table.rows(); ++row)
    if (filter_keeps(filter, table, row)) out[key_of(table, keys, row)].push_back(row);
  return out;
}

}  // namespace

RowFilter parse_filter(const std::string& text) {
  RowFilter out;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    const std::string part = text.substr(start, end - start);
    const size_t equals = part.find('=');
    SVDLAB_REQUIRE(equals != std::string::npos && equals > 0, Errc::kConfig,
                   "--only takes column=pattern,column=pattern, not \"", text, "\"");
    std::string column = part.substr(0, equals), pattern = part.substr(equals + 1);
    if (column == "table" && pattern.substr(0, 1) == "/") pattern.erase(0, 1);
    out.emplace_back(column, pattern);
    start = end + 1;
  }
  return out;
}

std::string filter_text(const RowFilter& filter) {
  std::string out;
  for (const auto& [column, pattern] : filter) {
    out += (out.empty() ? "" : ",") + column + "=";
    for (const char c : pattern)
      out += std::isalnum(static_cast<unsigned char>(c)) || std::strchr("_-./+*?:@%", c) ? c : '?';
  }
  return out;
}

bool filter_applies(const RowFilter& filter, const Table& table) {
  for (const auto& [column, pattern] : filter) {
    if (column == "table" ? !glob_match(pattern, table.name.substr(1)) : !find_column(table, column))
      return false;
  }
  return true;
}

bool filter_keeps(const RowFilter& filter, const Table& table, size_t row) {
  for (const auto& [column, pattern] : filter)
    if (column != "table" && !glob_match(pattern, value_text(table.column(column), row))) return false;
  return true;
}

std::vector<RowPair> pair_rows(const Table& a, const Table& b, const RowFilter& filter) {
  const std::vector<std::string> keys = key_columns(a);
  const auto in_a = rows_by_key(a, keys, filter), in_b = rows_by_key(b, keys, filter);
  std::vector<RowPair> out;
  std::map<RowFilter, size_t> seen;
  for (size_t row = 0; row < a.rows(); ++row) {
    if (!filter_keeps(filter, a, row)) continue;
    const RowFilter key = key_of(a, keys, row);
    const size_t n = seen[key]++;
    const auto found = in_b.find(key);
    out.push_back({key, row, std::nullopt});
    if (found != in_b.end() && n < found->second.size()) out.back().b = found->second[n];
  }
  for (const auto& [key, rows] : in_b) {
    const auto found = in_a.find(key);
    for (size_t n = found == in_a.end() ? 0 : found->second.size(); n < rows.size(); ++n)
      out.push_back({key, std::nullopt, rows[n]});
  }
  return out;
}

std::string key_text(const RowFilter& key) {
  std::string out;
  for (const auto& [column, value] : key) {
    const bool speaks_for_itself = column == "cell" || column == "layer" || column == "item";
    out += (out.empty() ? "" : " ") + (speaks_for_itself ? value : column + " " + value);
  }
  return out;
}

}  // namespace svdlab
