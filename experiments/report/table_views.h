#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/io/hdf5.h"

namespace svdlab::report {

enum class Better { kHigher, kLower };

struct ViewOptions {
  std::string caption;
  /// Columns whose best value is set in bold and whose second is underlined, and whose head gets an arrow.
  std::map<std::string, Better> better;
};

enum class Rank { kNone, kBest, kSecond };

/// The best and second best finite values of a numeric column; ties share their rank. All kNone below two
/// rows.
std::vector<Rank> ranks(const Column& column, Better better);

/// The cells of a column for people: text and integers as they are; doubles with the decimals that give the
/// largest four significant digits; what that would round away, or is above 10^6, in scientific notation.
/// "nan", "inf".
std::vector<std::string> display_cells(const Column& column);

/// RFC 4180: CRLF, quotes where needed, full precision (shortest text that reads back equal), "nan", "inf".
std::string to_csv(const Table& table);
/// GitHub's pipe tables; numbers to the right.
std::string to_markdown(const Table& table, const ViewOptions& options = {});
/// A booktabs tabular inside a table environment when there is a caption.
std::string to_latex(const Table& table, const ViewOptions& options = {});
/// Aligned columns for a terminal, UTF-8.
std::string to_terminal(const Table& table, const ViewOptions& options = {});

}  // namespace svdlab::report
