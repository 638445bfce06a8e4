#pragma once
#include <string>
#include <vector>

namespace svdlab::report {

/// Says what is wrong with `text` as XML (tags that do not nest, bad attributes, bare & or <), or "" when
/// nothing is. A leading <!doctype html> is skipped. Enough for our own output: no CDATA, comments or
/// processing instructions.
inline std::string xml_fault(std::string text) {
  if (text.rfind("<!doctype html>", 0) == 0) text.erase(0, 15);
  const auto entity_ok = [&](size_t at) {
    const size_t end = text.find(';', at);
    const std::string name = end == std::string::npos ? "" : text.substr(at + 1, end - at - 1);
    return name == "amp" || name == "lt" || name == "gt" || name == "quot" || name == "#39";
  };
  const auto name_end = [&](size_t at) { return text.find_first_of(" \n/>", at); };
  std::vector<std::string> open;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '&' && !entity_ok(i)) return "bare & at " + std::to_string(i);
    if (text[i] != '<') {
      if (open.empty() && !isspace(static_cast<unsigned char>(text[i]))) return "text outside the root";
      ++i;
      continue;
    }
    const bool closing = i + 1 < text.size() && text[i + 1] == '/';
    const size_t start = i + 1 + closing, stop = name_end(start);
    if (stop == std::string::npos || stop == start) return "bare < at " + std::to_string(i);
    const std::string name = text.substr(start, stop - start);
    i = stop;
    while (i < text.size() && text[i] != '>' && text[i] != '/') {
      if (isspace(static_cast<unsigned char>(text[i]))) {
        ++i;
        continue;
      }
      const size_t equals = text.find("=\"", i),
                   quote = equals == std::string::npos ? equals : text.find('"', equals + 2);
      if (quote == std::string::npos) return "bad attribute in <" + name;
      if (text.substr(i, equals - i).find_first_of("<>\"' ") != std::string::npos)
        return "bad attribute in <" + name;
      for (size_t k = equals + 2; k < quote; ++k)
        if (text[k] == '<' || (text[k] == '&' && !entity_ok(k))) return "unescaped attribute in <" + name;
      i = quote + 1;
    }
    const bool empty = i < text.size() && text[i] == '/';
    i += empty;
    if (i >= text.size() || text[i] != '>') return "<" + name + " is not closed";
    ++i;
    if (closing) {
      if (open.empty() || open.back() != name)
        return "</" + name + "> closes " + (open.empty() ? "nothing" : open.back());
      open.pop_back();
    } else if (!empty) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> is never closed";
}

/// How often `part` occurs in `text`.
inline size_t occurrences(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

}  // namespace svdlab::report
