#pragma once
#include <string>

namespace svdlab {

/// Where the pictures of a run lie.
class PictureLayout {
 public:
  /// Flat: <out>/<item>.
  explicit PictureLayout(const std::string& out) : folder_(out) {}
  /// As DeepCompressor's evaluation writes and reads them: <out>/samples/MJHQ/MJHQ-<n>/<item>,
  /// <out>/samples/DCI/sDCI-<n>/<item>, and for a YAML file of prompts
  /// <out>/samples/YAML/<stem>-<n>/<item>-0.
  /// @param benchmark  MJHQ, DCI or <stem>.yaml; kConfig otherwise  @param items  n
  PictureLayout(const std::string& out, const std::string& benchmark, size_t items);

  const std::string& folder() const { return folder_; }
  /// Path of an item's files without extension.
  std::string base(const std::string& item) const { return folder_ + "/" + item + suffix_; }
  bool flat() const { return flat_; }
  /// DeepCompressor's layout over a YAML file: its path, <out>/<stem>.yaml; "" otherwise.
  const std::string& prompts_file() const { return prompts_file_; }

 private:
  std::string folder_, suffix_, prompts_file_;
  bool flat_ = true;
};

}  // namespace svdlab
