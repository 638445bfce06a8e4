#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/ir/compressed.h"
#include "core/ir/graph.h"
#include "core/runtime/compressed_linear.h"
#include "core/runtime/precision.h"

namespace svdlab {

using NamedTensors = std::map<std::string, Tensor>;

/// Runs a graph through libtorch on the device its weights are on. Differentiable when weights require grad
/// and nothing is compressed. Immutable after construction: one executor serves several threads.
class Executor {
 public:
  struct Options {
    Precision precision = Precision::kBf16;
    Execution execution = Execution::kDequantized;
    const CompressedModel* compressed = nullptr;  ///< not owned; must outlive the executor
    bool cache_weights =
        true;  ///< keep fp32 copies of 16-bit weights; false converts at each use (large models)
  };
  /// Called after each node with its inputs and output (rounded).
  using Observer = std::function<void(int node, const std::vector<Tensor>& inputs, const Tensor& output)>;

  explicit Executor(const Graph& graph) : Executor(graph, Options()) {}
  Executor(const Graph& graph, Options options);
  ~Executor();
  Executor(const Executor&) = delete;

  /// @param inputs  by name of the graph's kInput nodes; missing or extra names throw kConfig.
  Tensor run(const NamedTensors& inputs, const Observer& observer = {}) const;

  /// Evaluates one node on given inputs: what a node-by-node comparison of backends uses.
  /// @param timestep  see run_compressed.
  Tensor run_node(int node, const std::vector<Tensor>& inputs, std::optional<double> timestep = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace svdlab
