#include "eval/ssim.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/base/error.h"

namespace svdlab {
namespace {

constexpr int kRadius = 5;
constexpr double kC1 = (0.01 * 255) * (0.01 * 255), kC2 = (0.03 * 255) * (0.03 * 255);

using Plane = std::vector<double>;  // [height, width]

std::array<double, 2 * kRadius + 1> window() {
  std::array<double, 2 * kRadius + 1> w{};
  double sum = 0;
  for (int i = -kRadius; i <= kRadius; ++i) sum += w[i + kRadius] = std::exp(-(i / 1.5) * (i / 1.5) / 2);
  for (double& v : w) v /= sum;
  return w;
}

// Reflection without repeating the border pixel: -1 -> 1, n -> n - 2.
int reflected(int i, int n) { return i < 0 ? -i : i >= n ? 2 * n - 2 - i : i; }

Plane blurred(const Plane& in, int width, int height) {
  static const auto kWindow = window();
  Plane across(in.size()), out(in.size());
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

Plane channel(const Image& image, int c) {
  Plane out(image.rgb.size() / 3);
  for (size_t i = 0; i < out.size(); ++i) out[i] = image.rgb[3 * i + c];
  return out;
}

Plane product(const Plane& a, const Plane& b) {
  Plane out(a.size());
  for (size_t i = 0; i < a.size(); ++i) out[i] = a[i] * b[i];
  return out;
}

double channel_sum(const Plane& x, const Plane& y, int width, int height) {
  const Plane mx = blurred(x, width, height), my = blurred(y, width, height);
  const Plane xx = blurred(product(x, x), width, height), yy = blurred(product(y, y), width, height);
  const Plane xy = blurred(product(x, y), width, height);
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double var_x = std::max(xx[i] - mx[i] * mx[i], 0.0), var_y = std::max(yy[i] - my[i] * my[i], 0.0);
    const double covariance = xy[i] - mx[i] * my[i];
    sum += (2 * mx[i] * my[i] + kC1) * (2 * covariance + kC2) /
           ((mx[i] * mx[i] + my[i] * my[i] + kC1) * (var_x + var_y + kC2));
  }
  return sum;
}

}  // namespace

double ssim_tm(const Image& reference, const Image& candidate) {
  const int width = reference.width, height = reference.height;
  SVDLAB_REQUIRE(width == candidate.width && height == candidate.height, Errc::kInput, "images of ", width,
                 " x ", height, " and ", candidate.width, " x ", candidate.height, " cannot be compared");
  const bool ok =
      width > kRadius && height > kRadius && candidate.rgb.size() == reference.rgb.size() &&
      reference.rgb.size() == size_t{3} * static_cast<size_t>(width) * static_cast<size_t>(height);
  SVDLAB_REQUIRE(ok, Errc::kInput, "SSIM of an image of ", width, " x ", height, " with ",
                 reference.rgb.size(), " bytes; both sides must have at least 6 pixels of 3 bytes");
  double sum = 0;
  for (int c = 0; c < 3; ++c) sum += channel_sum(channel(reference, c), channel(candidate, c), width, height);
  return sum / static_cast<double>(reference.rgb.size());
}

}  // namespace svdlab
