#pragma once
#include <string>
#include <vector>

#include "core/ir/compressed.h"
#include "core/ir/graph.h"

namespace svdlab {

/// Linears of a group that share one low-rank branch and are compressed: what a branch's spectrum is of.
struct BranchLinears {
  const LayerGroup* group = nullptr;
  std::vector<int> linears;  ///< indices into Graph::linears, at least one
  std::string name;          ///< of the first of them
  std::string roles;         ///< "q+k+v"
};
/// In graph order.
std::vector<BranchLinears> compressed_branches(const Graph& graph, const CompressedModel& model);

/// Their weights, stacked: [sum of out_features, K] fp64.
struct BranchWeights {
  Tensor weight;
  Tensor smooth;     ///< [K]; ones where the cell does not smooth
  Tensor smoothed;   ///< weight * smooth
  Tensor quantized;  ///< what stands for `smoothed` in the artefact: low-bit and low-rank branch together
};
BranchWeights branch_weights(const Graph& graph, const CompressedModel& model, const BranchLinears& branch);

/// 0, 1, 2, 4, ... up to 128 and to the smaller side of `m`, without 0 unless `with_zero`.
std::vector<int64_t> ranks_of(const Tensor& m, bool with_zero);

}  // namespace svdlab
