#pragma once
#include "lowrank/driver.h"
#include "quant/group_problem.h"

namespace svdlab {

/// Measures candidates for one group against its 16-bit output on the first tokens of the reservoir,
/// activation quantization included.
class OutputScorer {
 public:
  /// @param problem  must outlive this object; its stats must hold tokens.
  OutputScorer(const GroupProblem& problem, int64_t tokens);

  /// The group's input under one smoothing vector.
  struct Input {
    Tensor smoothed;   ///< [T, K], what the low-rank branch multiplies
    Tensor quantized;  ///< [T, K], what the low-bit branch multiplies
  };
  Input input(const Tensor& smooth) const;

  /// ||Y16 - Yq||_F^2 over the linears of branch partition `branch`.
  /// @param low_bit  their decoded weights, stacked.  @param factors  undefined tensors: no low-rank branch.
  double error(size_t branch, const Input& input, const Tensor& low_bit, const LowRankFactors& factors) const;

 private:
  const GroupProblem* problem_;
  Tensor tokens_;                // [T, K]
  std::vector<Tensor> outputs_;  // one for each branch partition: [T, sum of out_i]
};

}  // namespace svdlab
