#include "eval/psnr.h"

#include <cmath>
#include <limits>

#include "core/base/error.h"

namespace svdlab {
namespace {

void require_pairs(const std::vector<Image>& references, const std::vector<Image>& candidates) {
  SVDLAB_REQUIRE(references.size() == candidates.size() && !references.empty(), Errc::kInput,
                 "PSNR takes pairs of images, not ", references.size(), " against ", candidates.size());
}

}  // namespace

double mean_squared_error(const Image& reference, const Image& candidate) {
  const bool ok = reference.width == candidate.width && reference.height == candidate.height &&
                  reference.rgb.size() == candidate.rgb.size() && !reference.rgb.empty();
  SVDLAB_REQUIRE(ok, Errc::kInput, "images of ", reference.width, " x ", reference.height, " and ",
                 candidate.width, " x ", candidate.height, " cannot be compared");
  uint64_t sum = 0;  // exact: an 8-bit square has 16 bits, which leaves room for 2^48 values
  for (size_t i = 0; i < reference.rgb.size(); ++i) {
    const int d = int{reference.rgb[i]} - int{candidate.rgb[i]};
    sum += static_cast<uint64_t>(d * d);
  }
  return static_cast<double>(sum) / static_cast<double>(reference.rgb.size());
}

double psnr_of(double mean_squared_error, double range) {
  if (mean_squared_error == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(range * range / mean_squared_error);
}

double psnr(const Image& reference, const Image& candidate) {
  return psnr_of(mean_squared_error(reference, candidate));
}

double psnr_mean(const std::vector<Image>& references, const std::vector<Image>& candidates) {
  require_pairs(references, candidates);
  double sum = 0;
  for (size_t i = 0; i < references.size(); ++i) sum += psnr(references[i], candidates[i]);
  return sum / static_cast<double>(references.size());
}

double psnr_pooled(const std::vector<Image>& references, const std::vector<Image>& candidates) {
  require_pairs(references, candidates);
  double sum = 0, count = 0;
  for (size_t i = 0; i < references.size(); ++i) {
    const auto n = static_cast<double>(references[i].rgb.size());
    sum += mean_squared_error(references[i], candidates[i]) * n;
    count += n;
  }
  return psnr_of(sum / count);
}

}  // namespace svdlab
