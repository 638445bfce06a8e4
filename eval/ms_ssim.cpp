#include "eval/ms_ssim.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "eval/ssim_gaussian.h"

namespace svdlab {
namespace {

constexpr std::array<double, 5> kExponents = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};

// An odd last row or column is dropped, as by avg_pool2d.
Plane halved(const Plane& in) {
  Plane out{in.width / 2, in.height / 2, {}};
  out.values.reserve(static_cast<size_t>(out.width) * static_cast<size_t>(out.height));
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x) {
      const double* at = in.values.data() + 2 * static_cast<ptrdiff_t>(y) * in.width + 2 * x;
      out.values.push_back((at[0] + at[1] + at[in.width] + at[in.width + 1]) / 4);
    }
  return out;
}

}  // namespace

double ms_ssim(const Image& reference, const Image& candidate) {
  return ssim_scales(reference, candidate).ms_ssim;
}

SsimScales ssim_scales(const Image& reference, const Image& candidate) {
  require_comparable(reference, candidate, kMsSsimLeastSide, "MS-SSIM");
  std::array<double, kExponents.size()> sums{}, counts{};
  double similarity = 0;
  for (int c = 0; c < 3; ++c) {
    Plane x = plane_of(reference, c), y = plane_of(candidate, c);
    for (size_t scale = 0; scale < kExponents.size(); ++scale) {
      const SsimSums s = gaussian_ssim_sums(x, y);
      if (scale == 0) similarity += s.similarity;
      const bool last = scale + 1 == kExponents.size();
      sums[scale] += last ? s.similarity : s.contrast_inside;
      counts[scale] += static_cast<double>(last ? x.values.size() : static_cast<size_t>(s.contrast_pixels));
      x = halved(x), y = halved(y);
    }
  }
  double product = 1;
  for (size_t scale = 0; scale < kExponents.size(); ++scale)
    product *= std::pow(std::max(sums[scale] / counts[scale], 0.0), kExponents[scale]);
  return {similarity / static_cast<double>(reference.rgb.size()), product};
}

}  // namespace svdlab
