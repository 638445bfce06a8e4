#include "experiments/report/text.h"

#include <charconv>
#include <cmath>

namespace svdlab::report {
namespace {

std::string not_a_number(double v) { return std::isnan(v) ? "nan" : v < 0 ? "-inf" : "inf"; }

}  // namespace

std::string escaped(const std::string& s) {
  std::string out;
  for (const char c : s) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\n':
      case '\t':
        out += c;
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += "\xEF\xBF\xBD";
        else
          out += c;
    }
  }
  return out;
}

size_t text_width(const std::string& utf8) {
  size_t n = 0;
  for (const char c : utf8) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

std::string fixed(double v, int decimals) {
  if (!std::isfinite(v)) return not_a_number(v);
  char buffer[400];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::fixed, decimals).ptr;
  const std::string out(buffer, end);
  const bool zero = out.find_first_not_of("-0.") == std::string::npos;
  return zero && out[0] == '-' ? out.substr(1) : out;
}

std::string shortest(double v) {
  if (!std::isfinite(v)) return not_a_number(v);
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, v).ptr};
}

}  // namespace svdlab::report
