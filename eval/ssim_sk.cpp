#include "eval/ssim_sk.h"

#include <array>
#include <cstdint>
#include <vector>

#include "eval/ssim_gaussian.h"

namespace svdlab {
namespace {

constexpr int kWindow = 7;
constexpr double kPixels = kWindow * kWindow;
constexpr double kC1 = (0.01 * 255) * (0.01 * 255), kC2 = (0.03 * 255) * (0.03 * 255);

// Sums of x, y, x^2, y^2, xy over pixels: integers, hence exact in any order.
using Moments = std::array<int64_t, 5>;

void add(Moments& to, int64_t x, int64_t y, int64_t sign) {
  to[0] += sign * x, to[1] += sign * y;
  to[2] += sign * x * x, to[3] += sign * y * y, to[4] += sign * x * y;
}

double similarity(const Moments& m) {
  const double mx = static_cast<double>(m[0]) / kPixels, my = static_cast<double>(m[1]) / kPixels;
  const auto second = [&](int64_t sum, double product) {
    return (static_cast<double>(sum) / kPixels - product) * kPixels / (kPixels - 1);
  };
  const double var_x = second(m[2], mx * mx), var_y = second(m[3], my * my),
               covariance = second(m[4], mx * my);
  return (2 * mx * my + kC1) * (2 * covariance + kC2) / ((mx * mx + my * my + kC1) * (var_x + var_y + kC2));
}

// One running column sum per pixel column, and a window sliding over them.
double channel_sum(const Image& a, const Image& b, int channel) {
  const int width = a.width;
  std::vector<Moments> columns(static_cast<size_t>(width), Moments{});
  const auto add_row = [&](int row, int64_t sign) {
    for (int x = 0; x < width; ++x) {
      const size_t at = 3 * (static_cast<size_t>(row) * width + x) + channel;
      add(columns[x], a.rgb[at], b.rgb[at], sign);
    }
  };
  double sum = 0;
  for (int row = 0; row < a.height; ++row) {
    add_row(row, 1);
    if (row >= kWindow) add_row(row - kWindow, -1);
    if (row < kWindow - 1) continue;
    Moments window{};
    for (int x = 0; x < width; ++x) {
      for (size_t k = 0; k < window.size(); ++k)
        window[k] += columns[x][k] - (x >= kWindow ? columns[x - kWindow][k] : 0);
      if (x >= kWindow - 1) sum += similarity(window);
    }
  }
  return sum;
}

}  // namespace

double ssim_sk(const Image& reference, const Image& candidate) {
  require_comparable(reference, candidate, kWindow, "SSIM (7 x 7)");
  double sum = 0;
  for (int c = 0; c < 3; ++c) sum += channel_sum(reference, candidate, c);
  return sum / (3.0 * (reference.width - kWindow + 1) * (reference.height - kWindow + 1));
}

}  // namespace svdlab
