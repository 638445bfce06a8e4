#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace svdlab {

/// Two folders whose pictures <name>.png belong together by name.
struct PicturePairs {
  std::string reference, candidate;   ///< the folders
  std::vector<std::string> names;     ///< "item-0000.png", sorted; in both folders
  std::vector<std::string> left_out;  ///< in one folder only, sorted
  /// A program that reads a whole folder sees more than the pairs: grid.png, left out or other pictures,
  /// folders.
  bool more_in_folders = false;
};

/// Names of the pictures directly in a folder, <name>.png without grid.png, sorted. kInput when it is no
/// folder or holds none.
std::vector<std::string> pictures_of(const std::string& folder);

/// Files directly in the folders that end in .png; grid.png, the overview svdlab writes, is no picture of
/// its own. Throws kInput when a folder is missing, when no name is in both, and, without `allow_missing`,
/// when a name is in one only, naming the first ones.
PicturePairs pair_pictures(const std::string& reference, const std::string& candidate,
                           bool allow_missing = false);

/// The same of files of another extension, ".safetensors".
PicturePairs pair_files(const std::string& reference, const std::string& candidate,
                        const std::string& extension, bool allow_missing = false);

}  // namespace svdlab
