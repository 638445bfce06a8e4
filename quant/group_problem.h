#pragma once
#include <functional>
#include <vector>

#include "core/ir/linear.h"
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
};

/// Output error of a candidate smoothing vector [K] under the rest of the recipe; smaller is better.
/// Undefined tensor: no smoothing.
using SmoothScore = std::function<double(const Tensor& smooth)>;

}  // namespace svdlab
