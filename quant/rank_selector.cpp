#include "quant/rank_selector.h"

#include <algorithm>

#include "core/base/error.h"

namespace svdlab {
namespace {

Tensor checked(const Tensor& values) {
  const Tensor v = values.to(at::kDouble).contiguous();
  const bool falls = v.dim() == 1 && v.numel() > 0 && v.isfinite().all().item<bool>() &&
                     v.min().item<double>() >= 0 &&
                     (v.slice(0, 1) <= v.slice(0, 0, v.numel() - 1)).all().item<bool>();
  SVDLAB_REQUIRE(falls, Errc::kInput,
                 "rank selection needs a list of singular values, falling, finite and not negative, not ",
                 values.sizes());
  return v;
}

}  // namespace

int64_t rank_by_energy(const Tensor& values, double energy) {
  SVDLAB_REQUIRE(energy > 0 && energy <= 1, Errc::kConfig, "energy must be in (0, 1], not ", energy);
  const Tensor sums = checked(values).square().cumsum(0);
  const double* sum = sums.data_ptr<double>();
  const int64_t n = sums.numel();
  if (sum[n - 1] == 0) return 0;
  return std::lower_bound(sum, sum + n, energy * sum[n - 1]) - sum + 1;
}

int64_t rank_by_elbow(const Tensor& values) {
  const Tensor v = checked(values);
  const double* value = v.data_ptr<double>();
  const int64_t n = v.numel();
  int64_t elbow = n;
  // Rounding puts values of a straight line below it, too.
  double deepest = 1e-12 * value[0];
  for (int64_t i = 0; n > 2 && i < n; ++i) {
    const double line = value[0] + (value[n - 1] - value[0]) * static_cast<double>(i) / (n - 1);
    if (line - value[i] > deepest) deepest = line - value[i], elbow = i + 1;
  }
  return elbow;
}

int64_t select_rank(const Tensor& values, double energy) {
  return std::min(rank_by_energy(values, energy), rank_by_elbow(values));
}

}  // namespace svdlab
