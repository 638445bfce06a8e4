#pragma once
#include <string>

namespace svdlab::report {

/// `s` as character data or attribute value of XML and HTML; control characters become U+FFFD.
std::string escaped(const std::string& s);

/// Number of code points of UTF-8 text.
size_t text_width(const std::string& utf8);

/// `v` with `decimals` digits after the point, without a negative zero; "nan", "inf", "-inf" for what is no
/// number.
std::string fixed(double v, int decimals);

/// Shortest text that reads back as `v`.
std::string shortest(double v);

}  // namespace svdlab::report
