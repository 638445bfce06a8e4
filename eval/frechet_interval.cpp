#include "eval/frechet_interval.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "eval/features.h"
#include "eval/frechet.h"
#include "eval/quantile.h"

namespace svdlab {
namespace {

constexpr uint64_t kResamples = 200;

Tensor drawn_rows(int64_t n, const Rng& rng, uint64_t resample) {
  Tensor rows = at::empty({n}, at::kLong);
  const auto count = static_cast<uint64_t>(n);
  for (uint64_t i = 0; i < count; ++i)
    rows.data_ptr<int64_t>()[i] = static_cast<int64_t>(rng.below(resample * count + i, count));
  return rows;
}

// The spread of `resampled` around `value`.
Interval around(double value, std::vector<double> resampled, int64_t n) {
  Interval out{value, std::nan(""), std::nan(""), n};
  if (!std::isfinite(value)) return out;
  const double mean = std::accumulate(resampled.begin(), resampled.end(), 0.0) / kResamples;
  std::sort(resampled.begin(), resampled.end());
  out.lo = std::max(value + quantile(resampled, 0.025) - mean, 0.0);
  out.hi = std::max(value + quantile(resampled, 0.975) - mean, 0.0);
  return out;
}

// distance(rows) for each resample of n rows.
template <class Distance>
std::vector<double> resampled(int64_t n, const std::string& name, const Distance& distance) {
  const Rng rng(0, name);
  std::vector<double> out;
  for (uint64_t r = 0; r < kResamples; ++r) out.push_back(distance(drawn_rows(n, rng, r)));
  return out;
}

}  // namespace

Interval frechet_interval(const Tensor& a, const Tensor& b, const std::string& name) {
  const auto [x, y] = feature_pair(a, b, 2, "Frechet distance");
  const int64_t n = x.size(0);
  SVDLAB_REQUIRE(y.size(0) == n, Errc::kInput, "paired Frechet distance of ", n, " and ", y.size(0), " rows");
  const double value = frechet_distance(feature_stats(x), feature_stats(y));
  if (!std::isfinite(value)) return around(value, {}, n);
  const auto distance = [&left = x, &right = y](const Tensor& rows) {
    return frechet_distance(feature_stats(left.index_select(0, rows)),
                            feature_stats(right.index_select(0, rows)));
  };
  return around(value, resampled(n, name, distance), n);
}

Interval frechet_interval(const FeatureStats& a, const Tensor& b, const std::string& name) {
  const FeatureStats whole = feature_stats(b);
  const Tensor y = b.detach().cpu().to(at::kDouble).contiguous();
  const double value = frechet_distance(a, whole);
  if (!std::isfinite(value)) return around(value, {}, y.size(0));
  const auto distance = [&](const Tensor& rows) {
    return frechet_distance(a, feature_stats(y.index_select(0, rows)));
  };
  return around(value, resampled(y.size(0), name, distance), y.size(0));
}

}  // namespace svdlab
