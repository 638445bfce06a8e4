#include "eval/picture_pairs.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>

#include "core/base/error.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

// What other programs read as a picture when they are given a folder.
const Names& picture_extensions() {
  static const Names kKnown = {".bmp", ".jpg", ".jpeg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"};
  return kKnown;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// The pictures of a folder; `others`: something else in it would be read as one too.
Names pictures_in(const std::string& folder, bool& others) {
  SVDLAB_REQUIRE(fs::is_directory(folder), Errc::kInput, folder, ": is not a folder");
  Names names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string(), extension = entry.path().extension().string();
    if (entry.is_regular_file() && extension == ".png" && name != "grid.png")
      names.insert(name);
    else
      others = others || entry.is_directory() || picture_extensions().count(lower(extension)) > 0;
  }
  return names;
}

std::vector<std::string> only_in(const Names& a, const Names& b) {
  std::vector<std::string> out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

std::string first_of(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < std::min<size_t>(names.size(), 3); ++i) out += (i ? ", " : "") + names[i];
  return out + (names.size() > 3 ? " ..." : "");
}

void require_partners(const std::vector<std::string>& alone, const std::string& in,
                      const std::string& other) {
  SVDLAB_REQUIRE(alone.empty(), Errc::kInput, in, ": ", alone.size(), " of its pictures ",
                 alone.size() == 1 ? "is" : "are", " not in ", other, ": ", first_of(alone),
                 "; --allow-missing goes on without");
}

}  // namespace

PicturePairs pair_pictures(const std::string& reference, const std::string& candidate, bool allow_missing) {
  PicturePairs pairs{.reference = reference, .candidate = candidate};
  const Names a = pictures_in(reference, pairs.more_in_folders);
  const Names b = pictures_in(candidate, pairs.more_in_folders);
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(pairs.names));
  SVDLAB_REQUIRE(!pairs.names.empty(), Errc::kInput, reference, " (", a.size(), " pictures .png) and ",
                 candidate, " (", b.size(), ") have no name in common",
                 a.empty() || b.empty() ? "" : concat(", e.g. ", *a.begin(), " and ", *b.begin()));
  const std::vector<std::string> only_a = only_in(a, b), only_b = only_in(b, a);
  if (!allow_missing)
    require_partners(only_a, reference, candidate), require_partners(only_b, candidate, reference);
  std::merge(only_a.begin(), only_a.end(), only_b.begin(), only_b.end(), std::back_inserter(pairs.left_out));
  pairs.more_in_folders = pairs.more_in_folders || !pairs.left_out.empty();
  return pairs;
}

}  // namespace svdlab
