#pragma once
#include <cstdint>
#include <vector>

#include "core/ir/graph.h"

namespace svdlab {

/// Follows an input back through ops that keep channels apart, to the node that makes it.
int origin(const Graph& graph, int node);

/// The linear way through one attention: attention is linear in its values, so what is done to the output
/// channels of the value projections can be undone in the columns of the linears behind it.
struct ValuePath {
  struct Consumer {
    int linear = -1;
    int64_t column = 0;  ///< where the attention's output begins in its input
  };
  int attention = -1;            ///< node
  int64_t heads = 1;             ///< that the channels of a value projection are cut into
  std::vector<int> projections;  ///< linears that make the values, one for each stream of tokens
  std::vector<Consumer> consumers;
};

/// Of every attention that some linear group reads, in graph order of the groups. Throws kUnexpected where
/// values come from something else than a linear.
std::vector<ValuePath> value_paths(const Graph& graph);

}  // namespace svdlab
