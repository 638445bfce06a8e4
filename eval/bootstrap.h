#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace svdlab {

/// A mean over items and its 95 % interval.
struct Interval {
  double value = 0, lo = 0, hi = 0;
  int64_t n = 0;
};

/// Mean of `items` with a percentile bootstrap interval over 2000 resamples of the items (Efron, Tibshirani
/// 1993, 13.3; percentiles interpolated linearly). The resamples depend on `name` and n alone, so two methods
/// measured on the same items under the same name are resampled alike. An item that is not finite makes lo
/// and hi NaN and goes through to value. Throws kInput on no items.
Interval bootstrap_mean(const std::vector<double>& items, const std::string& name);

/// Mean of a[i] - b[i], paired: the interval of an improvement over the same items. Throws kInput on unequal
/// sizes.
Interval bootstrap_mean_difference(const std::vector<double>& a, const std::vector<double>& b,
                                   const std::string& name);

}  // namespace svdlab
