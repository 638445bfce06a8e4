#pragma once
#include <string>

namespace svdlab::report {

/// <tag>text</tag> with the text escaped; `tag` may carry attributes, e.g. "p class=\"subtitle\"".
std::string tagged(const std::string& tag, const std::string& text);

/// <figcaption>, or nothing for an empty text.
std::string figure_caption(const std::string& text);

}  // namespace svdlab::report
