#pragma once
#include <functional>
#include <vector>

#include "core/ir/linear.h"
#include "core/ir/online.h"
#include "core/ir/scheme.h"
#include "core/ir/stats.h"

namespace svdlab {

/// Everything a strategy may see of one LayerGroup: the linears that share an input, in fp32, and what
/// calibration kept of that input.
struct GroupProblem {
  std::string name;                        ///< LayerGroup::name
  std::vector<std::string> linear_names;   ///< one per member
  std::vector<Tensor> weights;             ///< member i: [out_i, K] fp32
  std::vector<std::vector<int>> branches;  ///< partition of members that share one low-rank down factor
  std::vector<Segment> segments;           ///< K ranges of the input
  const ActivationStats* stats = nullptr;  ///< never null for methods that ask for it
  Scheme scheme;

  int64_t channels() const { return weights.front().size(1); }
  /// Gradient statistics of a member's weight; null where calibration did not collect them.
  const WeightFisher* fisher(size_t member) const {
    if (stats == nullptr) return nullptr;
    const auto found = stats->fisher.find(linear_names[member]);
    return found == stats->fisher.end() ? nullptr : &found->second;
  }
};

/// What a candidate transform goes through before its output error is taken.
enum class Through {
  kRecipe,      ///< the rest of the recipe: low-rank branch and quantizers
  kQuantizers,  ///< quantizers alone, whatever the recipe adds to them
};

/// Output errors of candidate transforms, in their order; smaller is better. Candidates that are alike should
/// be neighbours: a solver may start one from the one before.
using TransformScore =
    std::function<std::vector<double>(const std::vector<OnlineTransform>& candidates, Through through)>;

}  // namespace svdlab
