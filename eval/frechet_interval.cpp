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

double distance(const Tensor& a, const Tensor& b) {
  return frechet_distance(feature_stats(a), feature_stats(b));
}

}  // namespace

Interval frechet_interval(const Tensor& a, const Tensor& b, const std::string& name) {
  const auto [x, y] = feature_pair(a, b, 2, "Frechet distance");
  const int64_t n = x.size(0);
  SVDLAB_REQUIRE(y.size(0) == n, Errc::kInput, "paired Frechet distance of ", n, " and ", y.size(0), " rows");
  Interval out{distance(x, y), std::nan(""), std::nan(""), n};
  if (!std::isfinite(out.value)) return out;
  const Rng rng(0, name);
  std::vector<double> resampled;
  for (uint64_t r = 0; r < kResamples; ++r) {
    const Tensor rows = drawn_rows(n, rng, r);
    resampled.push_back(distance(x.index_select(0, rows), y.index_select(0, rows)));
  }
  const double mean = std::accumulate(resampled.begin(), resampled.end(), 0.0) / kResamples;
  std::sort(resampled.begin(), resampled.end());
  out.lo = std::max(out.value + quantile(resampled, 0.025) - mean, 0.0);
  out.hi = std::max(out.value + quantile(resampled, 0.975) - mean, 0.0);
  return out;
}

}  // namespace svdlab
