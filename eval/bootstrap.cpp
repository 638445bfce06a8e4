#include "eval/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "eval/quantile.h"

namespace svdlab {
namespace {

constexpr uint64_t kResamples = 2000;

double mean(const std::vector<double>& v) {
  return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

}  // namespace

Interval bootstrap_mean(const std::vector<double>& items, const std::string& name) {
  SVDLAB_REQUIRE(!items.empty(), Errc::kInput, "bootstrap \"", name, "\": no items");
  Interval out{mean(items), std::nan(""), std::nan(""), static_cast<int64_t>(items.size())};
  if (!std::all_of(items.begin(), items.end(), [](double x) { return std::isfinite(x); })) return out;
  const Rng rng(0, name);
  const uint64_t n = items.size();
  std::vector<double> means(kResamples);
  for (uint64_t r = 0; r < kResamples; ++r) {
    double sum = 0;
    for (uint64_t i = 0; i < n; ++i) sum += items[rng.below(r * n + i, n)];
    means[r] = sum / static_cast<double>(n);
  }
  std::sort(means.begin(), means.end());
  out.lo = quantile(means, 0.025);
  out.hi = quantile(means, 0.975);
  return out;
}

Interval bootstrap_mean_difference(const std::vector<double>& a, const std::vector<double>& b,
                                   const std::string& name) {
  SVDLAB_REQUIRE(a.size() == b.size(), Errc::kInput, "bootstrap \"", name, "\": ", a.size(),
                 " items against ", b.size(), "; a paired interval takes the same items on both sides");
  std::vector<double> differences(a.size());
  for (size_t i = 0; i < a.size(); ++i) differences[i] = a[i] - b[i];
  return bootstrap_mean(differences, name);
}

}  // namespace svdlab
