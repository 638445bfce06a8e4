#pragma once
#include <memory>
#include <vector>

#include "core/runtime/executor.h"
#include "core/runtime/fusion_pass.h"

namespace svdlab {

/// Runs a graph with its compressed linears on the fused kernels (kernels/, through the plan of
/// fusion_pass.h) and all else by libtorch, in bf16 on one device; a CPU runs the kernels' CPU side, slowly
/// and with the same plan. Linears that no kernel serves run on the CPU's reference path, on a GPU by a
/// detour through host memory. Without those and with inputs on the device, run() only enqueues on torch's
/// current stream: it can be captured in a CUDA graph after one warm-up call.
class FusedExecutor : public GraphRunner {
 public:
  struct Options {
    at::Device device = at::kCPU;
    bool two_part_down = true;  ///< see FusedOptions
    int threads = 1;            ///< that pack weights
  };
  /// One result of a fused node: the value of a graph node, or of a range of its tokens.
  struct Border {
    int node = -1;
    int64_t first_token = 0;
    Tensor value;
  };

  /// Weights of linears that kernels serve are packed and copied; the graph's own weights of these are not
  /// touched, and may be shapes alone. @param model  need not outlive the executor.
  /// kConfig "unsupported" naming the reason where the device is a GPU that cannot be used.
  FusedExecutor(const Graph& graph, const CompressedModel& model, const Options& options);
  ~FusedExecutor() override;
  FusedExecutor(const FusedExecutor&) = delete;

  /// Output: bf16 on the device.
  Tensor run(const NamedTensors& inputs, const Observer& observer = {}) const override;

  const FusionPlan& plan() const;
  /// Evaluates plan().nodes[index] alone: what a comparison on the reference's own inputs uses.
  /// @param values  by graph node, on any device, floating; those of its sources, scales, shifts and tables.
  std::vector<Border> run_fused(size_t index, const std::vector<Tensor>& values) const;
  int64_t packed_bytes() const;  ///< of packed linears, on the device

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace svdlab
