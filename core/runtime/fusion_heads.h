#pragma once
#include <optional>
#include <vector>

#include "core/runtime/fusion_pass.h"

namespace svdlab {

/// Who reads each node, ascending.
class NodeUses {
 public:
  explicit NodeUses(const Graph& graph);
  const std::vector<int>& operator[](int node) const { return uses_.at(node); }
  int only_user(int node) const;  ///< -1 when there are none or several

 private:
  std::vector<std::vector<int>> uses_;
};

/// The RMSNorm + RoPE of an attention whose query, key and value projections are the linear nodes `qkv`:
///   q, k: heads, rms_norm, (concat of two parts of the tokens,) rope;  v: heads, (concat)
/// each read by the next alone, with one table and one epsilon. Nothing where the graph looks different.
std::optional<FusedNodeHeads> find_heads(const Graph& graph, const NodeUses& uses,
                                         const std::vector<int>& qkv);

/// The nodes behind `qkv` that an epilogue with find_heads' result stands for, in no order.
std::vector<int> covered_by_heads(const Graph& graph, const NodeUses& uses, const std::vector<int>& qkv);

}  // namespace svdlab
