#pragma once
#include <algorithm>
#include <utility>

#include "core/io/png.h"

namespace svdlab {

/// The image pair of tests/golden/make_image_metrics.py: a smooth-free pattern, and the same with noise of
/// `amplitude`.
inline std::pair<Image, Image> pattern(int width, int height, int amplitude) {
  Image a{width, height, {}}, b{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) {
        const int v = (x * 7 + y * 13 + c * 29 + (x * y) % 17 * 5) % 256;
        const int noise = (x * 31 + y * 17 + c * 7 + x * y * 3) % (2 * amplitude + 1) - amplitude;
        a.rgb.push_back(static_cast<uint8_t>(v));
        b.rgb.push_back(static_cast<uint8_t>(std::clamp(v + noise, 0, 255)));
      }
  return {a, b};
}

}  // namespace svdlab
