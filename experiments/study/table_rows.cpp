#include "experiments/study/table_rows.h"

#include <map>

#include "core/base/error.h"

namespace svdlab {
namespace {

template <class T, class TableRef>
auto& values_of(TableRef& table, const std::string& name) {
  auto* values = std::get_if<std::vector<T>>(&table.column(name).values);
  SVDLAB_REQUIRE(values != nullptr, Errc::kInput, "table ", table.name, ": column \"", name,
                 "\" has another type");
  return *values;
}

}  // namespace

Column text_column(const std::string& name, const std::string& unit) {
  return {name, unit, std::vector<std::string>()};
}
Column number_column(const std::string& name, const std::string& unit) {
  return {name, unit, std::vector<double>()};
}
Column integer_column(const std::string& name, const std::string& unit) {
  return {name, unit, std::vector<int64_t>()};
}

std::vector<std::string>& texts(Table& t, const std::string& c) { return values_of<std::string>(t, c); }
std::vector<double>& numbers(Table& t, const std::string& c) { return values_of<double>(t, c); }
std::vector<int64_t>& integers(Table& t, const std::string& c) { return values_of<int64_t>(t, c); }
const std::vector<std::string>& texts(const Table& t, const std::string& c) {
  return values_of<std::string>(t, c);
}
const std::vector<double>& numbers(const Table& t, const std::string& c) { return values_of<double>(t, c); }
const std::vector<int64_t>& integers(const Table& t, const std::string& c) {
  return values_of<int64_t>(t, c);
}

void append_rows(Table& table, const Table& more) {
  bool same = table.columns.size() == more.columns.size();
  for (size_t i = 0; same && i < table.columns.size(); ++i)
    same = table.columns[i].name == more.columns[i].name &&
           table.columns[i].values.index() == more.columns[i].values.index();
  SVDLAB_REQUIRE(same, Errc::kInput, "table ", more.name,
                 " does not have the columns of the table it is added to");
  for (size_t i = 0; i < table.columns.size(); ++i)
    std::visit(
        [&](auto& values) {
          const auto& added = std::get<std::decay_t<decltype(values)>>(more.columns[i].values);
          values.insert(values.end(), added.begin(), added.end());
        },
        table.columns[i].values);
}

std::vector<size_t> rows_where(const Table& table, const std::string& column, const std::string& value) {
  std::vector<size_t> out;
  const std::vector<std::string>& values = texts(table, column);
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] == value) out.push_back(i);
  return out;
}

std::vector<std::pair<std::string, std::vector<size_t>>> rows_by(const Table& table,
                                                                 const std::string& column) {
  std::vector<std::pair<std::string, std::vector<size_t>>> out;
  std::map<std::string, size_t> place;
  const std::vector<std::string>& values = texts(table, column);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto [found, is_new] = place.emplace(values[i], out.size());
    if (is_new) out.push_back({values[i], {}});
    out[found->second].second.push_back(i);
  }
  return out;
}

const Table* find_table(const std::vector<Table>& tables, const std::string& name) {
  for (const Table& t : tables)
    if (t.name == name) return &t;
  return nullptr;
}

}  // namespace svdlab
