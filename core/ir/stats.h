#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/ir/fisher.h"
#include "core/ir/tensor.h"

namespace svdlab {

struct TimestepStats;

/// What calibration keeps of the inputs of one LayerGroup. Additive: stats of two shards, merged in order,
/// equal the stats of one pass up to fp64 rounding of `sum`, `gram` and `fisher`, and exactly in everything
/// else.
struct ActivationStats {
  int64_t tokens = 0;
  Tensor absmax;            ///< [K] fp32
  Tensor min, max;          ///< [K] fp32
  Tensor sum;               ///< [K] fp64
  Tensor gram;              ///< [K, K] fp64, uncentred: sum over tokens of x x^T
  Tensor reservoir;         ///< [T, K] fp32: the T tokens with the smallest keys, ordered by key
  Tensor keys;              ///< [T] int64: the seeded random priority of each kept token
  int64_t capacity = 4096;  ///< upper bound of T
  /// Gradients of the group's weights by name of the linear; empty unless calibration was asked for them.
  std::map<std::string, WeightFisher> fisher;
  /// The same of each range of timesteps alone, ascending; empty unless calibration was asked for them.
  std::vector<TimestepStats> ranges;

  int64_t channels() const { return absmax.size(0); }
  Tensor mean() const { return sum / static_cast<double>(tokens); }  ///< [K] fp64

  /// Adds the rows of x [n, K] (fp32); keys [n] int64, unique over the whole calibration set.
  void add(const Tensor& x, const Tensor& keys);
  void merge(const ActivationStats& other);
  /// The statistics as if these channels (int64 indices) had been 0 in every token, without ranges.
  ActivationStats without_channels(const Tensor& channels) const;
  /// The statistics with everything but `keys` and gradients on `device`; what is there already is shared.
  ActivationStats to(at::Device device) const;
  /// Throws kInput naming `group` and the first offending channel when anything is NaN or infinite.
  void require_finite(const std::string& group) const;
};

/// Of the tokens at timesteps above the range before and up to `upper`; those of the last range also above.
/// They hold no gradients.
struct TimestepStats {
  double upper = 0;
  ActivationStats stats;
};

using StatsMap = std::map<std::string, ActivationStats>;  ///< by LayerGroup::name

}  // namespace svdlab
