#include "eval/precision_recall.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "core/base/error.h"
#include "eval/features.h"

namespace svdlab {
namespace {

// Differences squared and added one by one: |x|^2 + |y|^2 - 2 x.y would lose what separates near neighbours,
// and equal rows must be at exactly 0.
double distance2(const double* x, const double* y, int64_t d) {
  double sum = 0;
  for (int64_t i = 0; i < d; ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return sum;
}

const double* row(const Tensor& features, int64_t i) {
  return features.data_ptr<double>() + i * features.size(1);
}

std::vector<double> squared_radii(const Tensor& set, int64_t k) {
  const int64_t n = set.size(0);
  std::vector<double> radii;
  std::vector<double> others(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j)
      others[j] =
          j == i ? std::numeric_limits<double>::infinity() : distance2(row(set, i), row(set, j), set.size(1));
    std::nth_element(others.begin(), others.begin() + (k - 1), others.end());
    radii.push_back(others[k - 1]);
  }
  return radii;
}

Interval share_inside(const Tensor& points, const Tensor& set, int64_t k, const char* name) {
  const std::vector<double> radii = squared_radii(set, k);
  std::vector<double> inside;
  for (int64_t p = 0; p < points.size(0); ++p) {
    bool found = false;
    for (int64_t i = 0; i < set.size(0) && !found; ++i)
      found = distance2(row(points, p), row(set, i), set.size(1)) <= radii[i];
    inside.push_back(found ? 1 : 0);
  }
  return bootstrap_mean(inside, name);
}

}  // namespace

PrecisionRecall precision_recall(const Tensor& reference, const Tensor& candidate, int64_t k) {
  SVDLAB_REQUIRE(k >= 1, Errc::kInput, "precision and recall with k ", k, "; k is at least 1");
  const auto [x, y] = feature_pair(reference, candidate, k + 1, "precision and recall");
  require_finite(x, "precision and recall"), require_finite(y, "precision and recall");
  return {share_inside(y, x, k, "precision"), share_inside(x, y, k, "recall")};
}

}  // namespace svdlab
