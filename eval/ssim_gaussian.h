#pragma once
#include <cstdint>
#include <vector>

#include "core/io/png.h"

namespace svdlab {

/// One colour of a picture, [height, width], in double.
struct Plane {
  int width = 0, height = 0;
  std::vector<double> values;
};

/// Colour `channel` (0 red, 1 green, 2 blue) of a picture, 0 to 255.
Plane plane_of(const Image& image, int channel);

/// Refuses pairs that SSIM cannot compare: kInput on unequal sizes, on sides below `least` pixels and on a
/// number of bytes that does not fit. `what` names the metric in the message.
void require_comparable(const Image& reference, const Image& candidate, int least, const char* what);

/// Windowed statistics of two planes of equal size with the Gaussian window 11 x 11 of sigma 1.5, borders
/// reflected without repeating the border pixel, k1 = 0.01, k2 = 0.03, range 255.
struct SsimSums {
  double similarity = 0;        ///< sum over all pixels of luminance * contrast * structure
  double contrast_inside = 0;   ///< sum of contrast * structure over the pixels whose window needs no border
  int64_t contrast_pixels = 0;  ///< how many of those there are
};
SsimSums gaussian_ssim_sums(const Plane& x, const Plane& y);

}  // namespace svdlab
