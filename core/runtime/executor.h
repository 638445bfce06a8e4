#pragma once
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/ir/compressed.h"
#include "core/ir/graph.h"
#include "core/runtime/compressed_linear.h"
#include "core/runtime/graph_runner.h"
#include "core/runtime/precision.h"

namespace svdlab {

/// True for nodes whose value is kept in fp32 (see precision.h): the RoPE table and the inputs it and the
/// timestep embedding are made of.
bool stays_fp32(const Node& node);

/// Runs a graph through libtorch on the device its weights are on. Differentiable when weights require grad
/// and nothing is compressed. Compressed linears run on the CPU, wherever their input is.
class Executor : public GraphRunner {
 public:
  struct Options {
    Precision precision = Precision::kBf16;
    Execution execution = Execution::kDequantized;
    const CompressedModel* compressed = nullptr;  ///< not owned; must outlive the executor
    bool cache_weights =
        true;  ///< keep fp32 copies of 16-bit weights; false converts at each use (large models)
    std::optional<at::Device> device = {};  ///< where to run; absent: where the weights are
    std::set<int> elsewhere = {};  ///< linears that the caller evaluates: their weights are not touched
  };

  explicit Executor(const Graph& graph) : Executor(graph, Options()) {}
  Executor(const Graph& graph, Options options);
  ~Executor() override;
  Executor(const Executor&) = delete;

  Tensor run(const NamedTensors& inputs, const Observer& observer = {}) const override;

  /// Evaluates one node on given inputs: what a node-by-node comparison of backends uses.
  /// @param timestep  see run_compressed.
  Tensor run_node(int node, const std::vector<Tensor>& inputs, std::optional<double> timestep = {}) const;
  /// The value of a kInput node; kConfig when its name is missing.
  Tensor input(int node, const NamedTensors& inputs) const;
  /// Throws kConfig for a name that no kInput node has.
  void check_names(const NamedTensors& inputs) const;
  /// What run_node needs to be told: a timestep where some linear has a variant for each range of them.
  std::optional<double> timestep_of(const NamedTensors& inputs) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace svdlab
