#include "eval/ssim_gaussian.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/error.h"

namespace svdlab {
namespace {

constexpr int kRadius = 5;
constexpr double kC1 = (0.01 * 255) * (0.01 * 255), kC2 = (0.03 * 255) * (0.03 * 255);

using Values = std::vector<double>;

std::array<double, 2 * kRadius + 1> window() {
  std::array<double, 2 * kRadius + 1> w{};
  double sum = 0;
  for (int i = -kRadius; i <= kRadius; ++i) sum += w[i + kRadius] = std::exp(-(i / 1.5) * (i / 1.5) / 2);
  for (double& v : w) v /= sum;
  return w;
}

// Reflection without repeating the border pixel: -1 -> 1, n -> n - 2.
int reflected(int i, int n) { return i < 0 ? -i : i >= n ? 2 * n - 2 - i : i; }

Values blurred(const Values& in, int width, int height) {
  static const auto kWindow = window();
  Values across(in.size()), out(in.size());
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      double sum = 0;
      for (int k = -kRadius; k <= kRadius; ++k)
        sum += kWindow[k + kRadius] * in[y * width + reflected(x + k, width)];
      across[y * width + x] = sum;
    }
  for (int y = 0; y < height; ++y)
    for (int k = -kRadius; k <= kRadius; ++k) {
      const double weight = kWindow[k + kRadius];
      const double* row = across.data() + reflected(y + k, height) * width;
      for (int x = 0; x < width; ++x) out[y * width + x] += weight * row[x];
    }
  return out;
}

Values product(const Values& a, const Values& b) {
  Values out(a.size());
  for (size_t i = 0; i < a.size(); ++i) out[i] = a[i] * b[i];
  return out;
}

}  // namespace

Plane plane_of(const Image& image, int channel) {
  Plane out{image.width, image.height, Values(image.rgb.size() / 3)};
  for (size_t i = 0; i < out.values.size(); ++i) out.values[i] = image.rgb[3 * i + channel];
  return out;
}

void require_comparable(const Image& reference, const Image& candidate, int least, const char* what) {
  const int width = reference.width, height = reference.height;
  SVDLAB_REQUIRE(width == candidate.width && height == candidate.height, Errc::kInput, "images of ", width,
                 " x ", height, " and ", candidate.width, " x ", candidate.height, " cannot be compared");
  const bool ok =
      width >= least && height >= least && candidate.rgb.size() == reference.rgb.size() &&
      reference.rgb.size() == size_t{3} * static_cast<size_t>(width) * static_cast<size_t>(height);
  SVDLAB_REQUIRE(ok, Errc::kInput, what, " of an image of ", width, " x ", height, " with ",
                 reference.rgb.size(), " bytes; both sides must have at least ", least, " pixels of 3 bytes");
}

SsimSums gaussian_ssim_sums(const Plane& a, const Plane& b) {
  const int width = a.width, height = a.height;
  const Values &x = a.values, &y = b.values;
  const Values mx = blurred(x, width, height), my = blurred(y, width, height);
  const Values xx = blurred(product(x, x), width, height), yy = blurred(product(y, y), width, height);
  const Values xy = blurred(product(x, y), width, height);
  SsimSums sums;
  for (size_t i = 0; i < x.size(); ++i) {
    const double var_x = std::max(xx[i] - mx[i] * mx[i], 0.0), var_y = std::max(yy[i] - my[i] * my[i], 0.0);
    const double covariance = xy[i] - mx[i] * my[i];
    sums.similarity += (2 * mx[i] * my[i] + kC1) * (2 * covariance + kC2) /
                       ((mx[i] * mx[i] + my[i] * my[i] + kC1) * (var_x + var_y + kC2));
    const int column = static_cast<int>(i) % width, row = static_cast<int>(i) / width;
    if (std::min({column, row, width - 1 - column, height - 1 - row}) < kRadius) continue;
    sums.contrast_inside += (2 * covariance + kC2) / (var_x + var_y + kC2);
    ++sums.contrast_pixels;
  }
  return sums;
}

}  // namespace svdlab
