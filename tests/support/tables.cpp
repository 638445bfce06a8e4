#include "tests/support/tables.h"

#include <gtest/gtest.h>

#include <bit>

namespace svdlab::testing {
namespace {

bool same(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b) || (a != a && b != b);
}
bool same(int64_t a, int64_t b) { return a == b; }
bool same(const std::string& a, const std::string& b) { return a == b; }

void expect_same_columns(const Table& table, const Column& a, const Column& b) {
  SCOPED_TRACE(table.name + " " + a.name);
  ASSERT_EQ(a.name, b.name);
  ASSERT_EQ(a.values.index(), b.values.index());
  std::visit(
      [&](const auto& values) {
        const auto& others = std::get<std::decay_t<decltype(values)>>(b.values);
        ASSERT_EQ(values.size(), others.size());
        for (size_t row = 0; row < values.size(); ++row)
          ASSERT_TRUE(same(values[row], others[row]))
              << "row " << row << ": " << values[row] << " / " << others[row];
      },
      a.values);
}

}  // namespace

void expect_same_tables(const std::vector<Table>& a, const std::vector<Table>& b, bool timings) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t t = 0; t < a.size(); ++t) {
    ASSERT_EQ(a[t].name, b[t].name);
    ASSERT_EQ(a[t].columns.size(), b[t].columns.size());
    for (size_t c = 0; c < a[t].columns.size(); ++c)
      if (timings || a[t].columns[c].name.find("seconds") == std::string::npos)
        expect_same_columns(a[t], a[t].columns[c], b[t].columns[c]);
  }
}

}  // namespace svdlab::testing
