#include "eval/ssim_gaussian.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/base/error.h"

namespace svdlab {
namespace {

constexpr int kRadius = 5, kTaps = 2 * kRadius + 1;
constexpr double kC1 = (0.01 * 255) * (0.01 * 255), kC2 = (0.03 * 255) * (0.03 * 255);

using Values = std::vector<double>;
using Taps = std::array<const double*, kTaps>;

// Two doubles in one register of every 64-bit processor; element by element the same operations in the same
// order as a plain loop.
using Lanes [[gnu::vector_size(16)]] = double;
constexpr int kLanes = 2, kStep = 4 * kLanes;

int rounded_up(int n) { return (n + kStep - 1) / kStep * kStep; }

std::array<double, kTaps> window() {
  std::array<double, kTaps> w{};
  double sum = 0;
  for (int i = -kRadius; i <= kRadius; ++i) sum += w[i + kRadius] = std::exp(-(i / 1.5) * (i / 1.5) / 2);
  for (double& v : w) v /= sum;
  return w;
}

// Reflection without repeating the border pixel: -1 -> 1, n -> n - 2.
int reflected(int i, int n) { return i < 0 ? -i : i >= n ? 2 * n - 2 - i : i; }

Lanes loaded(const double* from) {
  Lanes v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

// out[x] = sum over k of window[k] * taps[k][x], for x up to `n` rounded up to kStep.
void weighted_sum(const Taps& taps, int n, double* out) {
  static const auto kWindow = window();
  for (int x = 0; x < n; x += kStep) {
    Lanes a{}, b{}, c{}, d{};
    for (int k = 0; k < kTaps; ++k) {
      const Lanes weight = {kWindow[k], kWindow[k]};
      const double* from = taps[k] + x;
      a += weight * loaded(from), b += weight * loaded(from + kLanes);
      c += weight * loaded(from + 2 * kLanes), d += weight * loaded(from + 3 * kLanes);
    }
    int at = x;
    for (const Lanes& sum : {a, b, c, d}) std::memcpy(out + at, &sum, sizeof sum), at += kLanes;
  }
}

// Rows of one windowed plane from top to bottom. Only the rows that the window covers are held, blurred
// along x.
class BlurredRows {
 public:
  BlurredRows(int width, int height)
      : width_(width),
        height_(height),
        padded_(stride() + kTaps),
        across_(kTaps * stride()),
        out_(stride()) {}

  // Rows must come in order; row(y) needs those up to y + kRadius.
  void push(const Values& in) {
    for (int x = -kRadius; x < width_ + kRadius; ++x) padded_[x + kRadius] = in[reflected(x, width_)];
    Taps taps;
    for (int k = 0; k < kTaps; ++k) taps[k] = padded_.data() + k;
    weighted_sum(taps, width_, slot(pushed_++));
  }

  const double* row(int y) {
    Taps taps;
    for (int k = 0; k < kTaps; ++k) taps[k] = slot(reflected(y + k - kRadius, height_));
    weighted_sum(taps, width_, out_.data());
    return out_.data();
  }

 private:
  size_t stride() const { return static_cast<size_t>(rounded_up(width_)); }
  double* slot(int row) { return across_.data() + static_cast<size_t>(row % kTaps) * stride(); }

  int width_, height_, pushed_ = 0;
  Values padded_, across_, out_;
};

// x, y, x^2, y^2, xy, windowed.
class Moments {
 public:
  Moments(const Plane& x, const Plane& y)
      : x_(x), y_(y), line_(static_cast<size_t>(x.width)), rows_(5, BlurredRows(x.width, x.height)) {}

  std::array<const double*, 5> row(int y) {
    for (; pushed_ < std::min(y + kRadius + 1, x_.height); ++pushed_) push();
    return {rows_[0].row(y), rows_[1].row(y), rows_[2].row(y), rows_[3].row(y), rows_[4].row(y)};
  }

 private:
  void push() {
    const size_t at = static_cast<size_t>(pushed_) * line_.size();
    const double *x = x_.values.data() + at, *y = y_.values.data() + at;
    const auto push_row = [&](size_t which, auto value) {
      for (size_t i = 0; i < line_.size(); ++i) line_[i] = value(x[i], y[i]);
      rows_[which].push(line_);
    };
    push_row(0, [](double a, double) { return a; });
    push_row(1, [](double, double b) { return b; });
    push_row(2, [](double a, double) { return a * a; });
    push_row(3, [](double, double b) { return b * b; });
    push_row(4, [](double a, double b) { return a * b; });
  }

  const Plane &x_, &y_;
  Values line_;
  std::vector<BlurredRows> rows_;
  int pushed_ = 0;
};

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
  Moments moments(a, b);
  SsimSums sums;
  for (int row = 0; row < a.height; ++row) {
    const auto [mx, my, xx, yy, xy] = moments.row(row);
    const bool inside = std::min(row, a.height - 1 - row) >= kRadius;
    for (int i = 0; i < a.width; ++i) {
      const double var_x = std::max(xx[i] - mx[i] * mx[i], 0.0), var_y = std::max(yy[i] - my[i] * my[i], 0.0);
      const double covariance = xy[i] - mx[i] * my[i];
      const double contrast = (2 * covariance + kC2), spread = (var_x + var_y + kC2);
      sums.similarity +=
          (2 * mx[i] * my[i] + kC1) * contrast / ((mx[i] * mx[i] + my[i] * my[i] + kC1) * spread);
      if (!inside || std::min(i, a.width - 1 - i) < kRadius) continue;
      sums.contrast_inside += contrast / spread;
      ++sums.contrast_pixels;
    }
  }
  return sums;
}

}  // namespace svdlab
