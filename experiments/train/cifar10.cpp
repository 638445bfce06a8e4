#include "experiments/train/cifar10.h"

#include <filesystem>
#include <sstream>
#include <vector>

#include "core/base/error.h"
#include "core/io/files.h"
#include "core/io/png.h"

namespace svdlab {
namespace {

constexpr int kSheets = 50, kPerSheet = 1000, kSide = 32;

std::vector<int64_t> read_labels(const std::string& path) {
  std::istringstream text(read_file(path));
  std::vector<int64_t> labels;
  for (int64_t label; text >> label;) {
    SVDLAB_REQUIRE(label >= 0 && label < 10, Errc::kInput, path, ":", labels.size() + 1, ": label ", label,
                   " is not in 0..9");
    labels.push_back(label);
  }
  SVDLAB_REQUIRE(labels.size() >= kSheets * kPerSheet, Errc::kInput, path, ": ", labels.size(),
                 " labels, expected ", kSheets * kPerSheet);
  return labels;
}

Tensor read_sheet(const std::string& path) {
  const Image sheet = read_png(path);
  SVDLAB_REQUIRE(sheet.width == kSide * kSide && sheet.height == kPerSheet, Errc::kInput, path, ": ",
                 sheet.width, " x ", sheet.height, " pixels, expected 1024 x 1000");
  return at::from_blob(const_cast<uint8_t*>(sheet.rgb.data()), {kPerSheet, kSide, kSide, 3}, at::kByte)
      .permute({0, 3, 1, 2})
      .contiguous();
}

}  // namespace

LabelledImages load_cifar10(const std::string& folder, bool allow_partial) {
  const std::vector<int64_t> labels = read_labels(folder + "/labels.txt");
  std::vector<Tensor> images, kept;
  for (int sheet = 0; sheet < kSheets; ++sheet) {
    const std::string path = folder + "/cifar10_batch_" + std::to_string(sheet) + ".png";
    if (allow_partial && !std::filesystem::exists(path)) continue;
    images.push_back(read_sheet(path));
    kept.push_back(at::tensor(
        std::vector<int64_t>(labels.begin() + sheet * kPerSheet, labels.begin() + (sheet + 1) * kPerSheet)));
  }
  SVDLAB_REQUIRE(!images.empty(), Errc::kInput, folder, ": no cifar10_batch_<n>.png");
  return {at::cat(images), at::cat(kept)};
}

}  // namespace svdlab
