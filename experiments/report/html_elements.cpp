#include "experiments/report/html_elements.h"

#include "experiments/report/text.h"

namespace svdlab::report {

std::string tagged(const std::string& tag, const std::string& text) {
  return "<" + tag + ">" + escaped(text) + "</" + tag.substr(0, tag.find(' ')) + ">";
}

std::string figure_caption(const std::string& text) { return text.empty() ? "" : tagged("figcaption", text); }

}  // namespace svdlab::report
