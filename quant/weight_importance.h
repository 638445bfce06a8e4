#pragma once
#include <memory>
#include <vector>

#include "core/base/registry.h"
#include "core/base/value.h"
#include "quant/group_problem.h"
#include "quant/weight_quantizer.h"

namespace svdlab {

/// What it is worth to keep a single weight out of rounding.
class WeightImportance {
 public:
  virtual ~WeightImportance() = default;
  /// One [out_i, K] >= 0 for each member; larger is worth more.
  /// @param quantizer  what rounds the weights that are not kept.
  virtual std::vector<Tensor> of(const GroupProblem& problem, const WeightQuantizer& quantizer) const = 0;
  /// True: 1 is what an ordinary weight's whole value is worth, so a threshold means the same in every layer.
  virtual bool is_relative() const { return false; }
  virtual bool needs_stats() const { return false; }
  virtual FisherDetail needs_gradients() const { return FisherDetail::kNone; }
};

using WeightImportanceFactory = std::unique_ptr<WeightImportance> (*)(Fields& options);
/// Catalogue of importances; `by` in the options of the sparse branch.
const Registry<WeightImportanceFactory>& weight_importances();

}  // namespace svdlab
