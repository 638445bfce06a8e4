#include "eval/picture_check.h"

#include "core/base/error.h"
#include "core/io/png_facts.h"
#include "eval/measured.h"

namespace svdlab {

std::vector<std::string> check_pictures(const std::string& folder, const std::vector<std::string>& names) {
  std::vector<std::string> deep, palette, grey, alpha;
  for (const std::string& name : names) {
    const PngFacts facts = png_facts(folder + "/" + name);
    if (facts.bit_depth > 8) deep.push_back(name);
    if (facts.palette) palette.push_back(name);
    if (facts.grey) grey.push_back(name);
    if (facts.alpha) alpha.push_back(name);
  }
  const auto counted = [&](const std::vector<std::string>& some) {
    return concat(folder, ": ", some.size(), " of ", names.size(), " pictures ");
  };
  SVDLAB_REQUIRE(deep.empty(), Errc::kInput, counted(deep), deep.size() == 1 ? "has" : "have",
                 " 16 bits a colour: ", first_names(deep), "; save them with 8");
  std::vector<std::string> notes;
  const auto note = [&](const std::vector<std::string>& some, const char* what) {
    if (!some.empty()) notes.push_back(concat(counted(some), what, ": ", first_names(some)));
  };
  note(palette, "with a palette, read as RGB");
  note(grey, "in grey, read as RGB");
  note(alpha, "with transparency, which is dropped");
  return notes;
}

}  // namespace svdlab
