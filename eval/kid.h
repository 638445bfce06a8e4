#pragma once
#include <cstdint>

#include "core/ir/tensor.h"
#include "eval/bootstrap.h"

namespace svdlab {

/// Unbiased estimate of the squared maximum mean discrepancy of two sets of features [n, D] and [m, D] under
/// the kernel (x.y / D + 1)^3 (Binkowski et al. 2018), in double: may be negative for sets of one
/// distribution. Throws kInput on other shapes and on fewer than two rows.
double polynomial_mmd2(const Tensor& a, const Tensor& b);

struct KidOptions {
  int64_t subsets = 100;
  int64_t subset_size = 0;  ///< 0: half of the smaller set, at most 1000
  uint64_t seed = 0;
  /// Row i of both sets belongs to one item. The estimate takes the sets as independent, and a picture beside
  /// its own partner would pull it below zero; so the two sides of a subset are of different items.
  bool paired = false;
};

/// Kernel distance: mean of polynomial_mmd2 over subsets drawn without replacement from each set, and the
/// delete-d jackknife interval of that mean (Shao, Wu 1989): percentiles of the subset values about their
/// mean, scaled by sqrt(size / (n - size)). `n` is the number of rows of `b`; lo and hi are NaN when a subset
/// is a whole set. Depends on the features, the options and nothing else. kInput as above, on a feature that
/// is not finite, when a set is smaller than a subset, and when paired sets differ in size or have fewer
/// items than two subsets.
Interval kid(const Tensor& a, const Tensor& b, const KidOptions& options = {});

}  // namespace svdlab
