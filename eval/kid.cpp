#include "eval/kid.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "eval/features.h"
#include "eval/quantile.h"

namespace svdlab {
namespace {

Tensor kernel(const Tensor& x, const Tensor& y) {
  return (at::matmul(x, y.t()) / static_cast<double>(x.size(1)) + 1).pow(3);
}

double mean_off_diagonal(const Tensor& k) {
  const auto n = static_cast<double>(k.size(0));
  return (k.sum() - k.trace()).item<double>() / (n * (n - 1));
}

double mmd2(const Tensor& a, const Tensor& b) {
  return mean_off_diagonal(kernel(a, a)) + mean_off_diagonal(kernel(b, b)) -
         2 * kernel(a, b).mean().item<double>();
}

// `count` different rows of 0..n-1: the first steps of a Fisher-Yates shuffle.
Tensor drawn(int64_t n, int64_t count, const Rng& rng, uint64_t subset) {
  std::vector<int64_t> rows(static_cast<size_t>(n));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  for (int64_t i = 0; i < count; ++i) {
    const auto left = static_cast<uint64_t>(n - i);
    const uint64_t at = rng.below(subset * static_cast<uint64_t>(count) + static_cast<uint64_t>(i), left);
    std::swap(rows[i], rows[i + static_cast<int64_t>(at)]);
  }
  rows.resize(static_cast<size_t>(count));
  return at::tensor(rows, at::kLong);
}

int64_t size_of_subsets(int64_t smaller, const KidOptions& options) {
  const int64_t size =
      options.subset_size != 0 ? options.subset_size : std::clamp<int64_t>(smaller / 2, 2, 1000);
  const int64_t largest = options.paired ? smaller / 2 : smaller;
  SVDLAB_REQUIRE(size >= 2 && size <= largest && options.subsets >= 1, Errc::kInput, "KID over ",
                 options.subsets, " subsets of ", size, " out of ", smaller, options.paired ? " paired" : "",
                 " pictures; at least one subset of 2 to ", largest);
  return size;
}

// One value of the estimate: both sides of subset `s`.
double subset_mmd2(const Tensor& x, const Tensor& y, int64_t size, uint64_t s, const KidOptions& options) {
  const Rng of_a(options.seed, "kid a"), of_b(options.seed, "kid b");
  const int64_t from_a = options.paired ? 2 * size : size;
  const Tensor rows = drawn(x.size(0), from_a, of_a, s);
  const Tensor others = options.paired ? rows.slice(0, size) : drawn(y.size(0), size, of_b, s);
  return mmd2(x.index_select(0, rows.slice(0, 0, size)), y.index_select(0, others));
}

}  // namespace

double polynomial_mmd2(const Tensor& a, const Tensor& b) {
  const auto [x, y] = feature_pair(a, b, 2, "kernel distance");
  return mmd2(x, y);
}

Interval kid(const Tensor& a, const Tensor& b, const KidOptions& options) {
  const auto [x, y] = feature_pair(a, b, 2, "KID");
  require_finite(x, "KID"), require_finite(y, "KID");
  const int64_t n = std::min(x.size(0), y.size(0)), size = size_of_subsets(n, options);
  SVDLAB_REQUIRE(!options.paired || x.size(0) == y.size(0), Errc::kInput, "KID of ", x.size(0), " and ",
                 y.size(0), " paired pictures");
  std::vector<double> values;
  for (uint64_t s = 0; s < static_cast<uint64_t>(options.subsets); ++s)
    values.push_back(subset_mmd2(x, y, size, s, options));
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  const double scale =
      size < n ? std::sqrt(static_cast<double>(size) / static_cast<double>(n - size)) : std::nan("");
  std::sort(values.begin(), values.end());
  return {mean, mean + (quantile(values, 0.025) - mean) * scale,
          mean + (quantile(values, 0.975) - mean) * scale, y.size(0)};
}

}  // namespace svdlab
