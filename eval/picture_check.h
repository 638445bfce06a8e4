#pragma once
#include <string>
#include <vector>

namespace svdlab {

/// Refuses pictures of more than 8 bits a colour (programs disagree on how to read them) by name and count;
/// notes, with names and counts, palettes, greys and alpha, which is dropped, as PIL's convert("RGB") does.
std::vector<std::string> check_pictures(const std::string& folder, const std::vector<std::string>& names);

}  // namespace svdlab
