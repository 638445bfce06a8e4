#include "eval/ssim.h"

#include "eval/ssim_gaussian.h"

namespace svdlab {

double ssim_tm(const Image& reference, const Image& candidate) {
  require_comparable(reference, candidate, 6, "SSIM");
  double sum = 0;
  for (int c = 0; c < 3; ++c)
    sum += gaussian_ssim_sums(plane_of(reference, c), plane_of(candidate, c)).similarity;
  return sum / static_cast<double>(reference.rgb.size());
}

}  // namespace svdlab
