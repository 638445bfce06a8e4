#pragma once
#include <memory>

#include "core/base/registry.h"
#include "core/base/value.h"
#include "core/ir/compressed.h"
#include "quant/group_problem.h"
#include "quant/weight_quantizer.h"

namespace svdlab {

/// What a branch of its own takes out of a group before everything else.
struct TakenOut {
  std::vector<Branch> branches;  ///< one for each member, or empty: nothing was worth taking
  std::vector<Tensor> rest;      ///< what the members' weights are without it, [out_i, K] fp32
  Tensor columns = {};  ///< int64 columns of the input that the other branches see as 0, or undefined
};

/// Takes part of a group's weights into a branch that sees the untransformed input in 16 bit: outliers,
/// columns, structure. What is left goes through the rest of the recipe as if it were the weight.
class ExtraBranch {
 public:
  virtual ~ExtraBranch() = default;
  /// @param quantizer  what will round the rest, or stands in for it.
  virtual TakenOut take(const GroupProblem& problem, const WeightQuantizer& quantizer) const = 0;
  virtual bool needs_stats() const = 0;
  /// What it must find in GroupProblem::fisher.
  virtual FisherDetail needs_gradients() const { return FisherDetail::kNone; }
};

using ExtraBranchFactory = std::unique_ptr<ExtraBranch> (*)(Fields& options);
/// Catalogue of extra branches; the key under `branch:` in a recipe.
const Registry<ExtraBranchFactory>& extra_branches();

}  // namespace svdlab
