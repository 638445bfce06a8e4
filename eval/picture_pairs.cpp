#include "eval/picture_pairs.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>

#include "core/base/error.h"
#include "eval/measured.h"

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

// The files of a folder with this extension; `others`: something else in it would be read as a picture too.
Names files_in(const std::string& folder, const std::string& wanted, bool& others) {
  SVDLAB_REQUIRE(fs::is_directory(folder), Errc::kInput, folder, ": is not a folder");
  Names names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string(), extension = entry.path().extension().string();
    if (entry.is_regular_file() && extension == wanted && name != "grid.png")
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

void require_partners(const std::vector<std::string>& alone, const std::string& in,
                      const std::string& other) {
  SVDLAB_REQUIRE(alone.empty(), Errc::kInput, in, ": ", alone.size(), " of its files ",
                 alone.size() == 1 ? "is" : "are", " not in ", other, ": ", first_names(alone),
                 "; --allow-missing goes on without");
}

}  // namespace

std::vector<std::string> pictures_of(const std::string& folder) {
  bool others = false;
  const Names names = files_in(folder, ".png", others);
  SVDLAB_REQUIRE(!names.empty(), Errc::kInput, folder, ": no picture <name>.png in it");
  return {names.begin(), names.end()};
}

PicturePairs pair_pictures(const std::string& reference, const std::string& candidate, bool allow_missing) {
  return pair_files(reference, candidate, ".png", allow_missing);
}

PicturePairs pair_files(const std::string& reference, const std::string& candidate,
                        const std::string& extension, bool allow_missing) {
  PicturePairs pairs{.reference = reference, .candidate = candidate};
  const Names a = files_in(reference, extension, pairs.more_in_folders);
  const Names b = files_in(candidate, extension, pairs.more_in_folders);
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(pairs.names));
  SVDLAB_REQUIRE(!pairs.names.empty(), Errc::kInput, reference, " (", a.size(), " files ", extension,
                 ") and ", candidate, " (", b.size(), ") have no name in common",
                 a.empty() || b.empty() ? "" : concat(", e.g. ", *a.begin(), " and ", *b.begin()));
  const std::vector<std::string> only_a = only_in(a, b), only_b = only_in(b, a);
  if (!allow_missing)
    require_partners(only_a, reference, candidate), require_partners(only_b, candidate, reference);
  std::merge(only_a.begin(), only_a.end(), only_b.begin(), only_b.end(), std::back_inserter(pairs.left_out));
  pairs.more_in_folders = pairs.more_in_folders || !pairs.left_out.empty();
  return pairs;
}

}  // namespace svdlab
