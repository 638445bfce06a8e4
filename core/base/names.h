#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace svdlab {

/// True when `name` matches `pattern`: `*` stands for any run of characters (dots included), `?` for one.
bool glob_match(std::string_view pattern, std::string_view name);

/// The candidate with the smallest edit distance to `name`; the first of equals, empty when there are none.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace svdlab
