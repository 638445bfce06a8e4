#pragma once
#include "lowrank/compress_group.h"
#include "lowrank/weighted.h"

namespace svdlab {

/// One group and the recipe's stages, ready to try transforms.
class GroupRun {
 public:
  /// All arguments must outlive this object.
  /// @param taken  what an extra branch took out of the group before.
  GroupRun(const GroupProblem& problem, const TakenOut& taken, const Recipe& recipe, const Stages& stages,
           const CompressionOptions& options);

  /// The output error under one transform, single-threaded.
  /// @param weights  in place of the recipe's weight quantizer.
  /// @param starts   basis of each branch partition from a candidate like this one, or empty; replaced by
  /// this one's.
  double search_error(const OnlineTransform& online, const WeightQuantizer& weights, Through through,
                      std::vector<Tensor>& starts) const;

  /// Appends the group's linears and logs, compressed under `online`.
  void compress(const OnlineTransform& online, GroupCompression& out) const;

 private:
  /// The recipe's solver in the norm of its objective, for one branch under one transform.
  WeightedSolver weighted_solver(size_t branch, const OnlineTransform& online) const;
  DriverProblem driver_problem(size_t branch, const OnlineTransform& online,
                               const LowRankSolver& solver) const;
  void store(size_t branch, const OnlineTransform& online, const Tensor& weights, const DriverResult& result,
             CompressedLinear* linears, CompressionLog* logs) const;

  const GroupProblem& problem_;  // without what an extra branch took
  const TakenOut& taken_;
  const Recipe& recipe_;
  const Stages& stages_;
  const CompressionOptions& options_;
  std::unique_ptr<Scorer> scorer_;  // with statistics only
};

}  // namespace svdlab
