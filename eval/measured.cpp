#include "eval/measured.h"

#include <algorithm>

namespace svdlab {

void Measurements::add(const std::string& metric, const Interval& interval, const std::string& implementation,
                       const std::string& compared_with, const std::string& unit) {
  values.push_back({metric, unit, interval, implementation, compared_with});
}

void Measurements::note(const std::string& text) { notes.push_back(text); }

std::string first_names(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < std::min<size_t>(names.size(), 3); ++i) out += (i ? ", " : "") + names[i];
  return out + (names.size() > 3 ? " ..." : "");
}

}  // namespace svdlab
