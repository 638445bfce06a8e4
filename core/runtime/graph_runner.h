#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/ir/tensor.h"

namespace svdlab {

using NamedTensors = std::map<std::string, Tensor>;

/// Runs a graph: one backend of it. Immutable, so that one serves several threads.
class GraphRunner {
 public:
  /// Called after each node that is evaluated with its inputs and output (rounded). What a fused node covers
  /// is not seen; it calls with each of its results, and with what it read.
  using Observer = std::function<void(int node, const std::vector<Tensor>& inputs, const Tensor& output)>;

  virtual ~GraphRunner() = default;
  /// @param inputs  by name of the graph's kInput nodes; missing or extra names throw kConfig.
  virtual Tensor run(const NamedTensors& inputs, const Observer& observer = {}) const = 0;
};

}  // namespace svdlab
