#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/value.h"
#include "core/io/hdf5.h"

namespace svdlab {

/// Identifier column -> pattern: rows whose every named column matches. `table` is a name like any other.
using RowFilter = std::vector<std::pair<std::string, std::string>>;

/// "cell=int4/*,layer=*.to_q": the filter of a command line. kConfig for anything else.
RowFilter parse_filter(const std::string& text);
/// The text that parse_filter reads back; what it cannot hold becomes the wildcard `?`.
std::string filter_text(const RowFilter& filter);

/// False when the filter is about another table, or names a column that this one does not have.
bool filter_applies(const RowFilter& filter, const Table& table);
bool filter_keeps(const RowFilter& filter, const Table& table, size_t row);

/// The rows of two tables that have the same key; a row that one side does not have is absent there.
struct RowPair {
  RowFilter key;
  std::optional<size_t> a, b;
};
/// The rows of `a` in their order, then those that only `b` has. Rows of one key, as the candidates of a
/// search, are paired in their order.
std::vector<RowPair> pair_rows(const Table& a, const Table& b, const RowFilter& filter);

/// "int4/rtn transformer_blocks.0.attn.to_q step 3"
std::string key_text(const RowFilter& key);

}  // namespace svdlab
