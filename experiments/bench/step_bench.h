#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/base/registry.h"
#include "core/io/hdf5.h"
#include "experiments/bench/step_model.h"
#include "experiments/bench/step_time.h"

namespace svdlab {

/// One way to hold and run the model, ready to be timed on the GPU.
class StepModel {
 public:
  virtual ~StepModel() = default;
  virtual Tensor run(const GraphRunner::Observer& observer) const = 0;
  virtual const Graph& graph() const = 0;
  virtual int64_t weight_bytes() const = 0;
  /// What a node's time counts under in a breakdown.
  virtual std::string kind(int node) const { return node_kind(graph(), graph().nodes[node]); }
  /// What tells which paths serve, one line; "" when there is only one.
  virtual std::string paths() const { return ""; }
};
using StepModelFactory = std::unique_ptr<StepModel> (*)(const StepShape&, at::Device);

/// "bf16", "fp8", "int4", "nvfp4".
const Registry<StepModelFactory>& step_models();

struct StepOptions {
  StepShape shape;
  std::vector<std::string> models;  ///< of step_models; empty: all
  int warm_up = 3, runs = 15;
  bool breakdown = false;
};

/// A model, eager or replayed as a CUDA graph.
struct StepRow {
  std::string model, mode;
  StepTimes times;
  int64_t weight_bytes = 0, peak_bytes = 0;
  std::string message;                      ///< paths, or why there is no time
  std::map<std::string, double> breakdown;  ///< milliseconds by node_kind; empty unless asked for
};

/// Builds each model in turn, times it eagerly and as a CUDA graph, and frees it. A model that fails gives
/// rows with a message. kConfig "bench step needs a GPU: ..." where there is none.
std::vector<StepRow> run_step_bench(const StepOptions& options,
                                    const std::function<void(const StepRow&)>& report);

/// A row each; `speedup` is against the fastest bf16 row.
Table step_table(const std::vector<StepRow>& rows);
/// Kinds of nodes by model, slowest first; empty without a breakdown.
Table breakdown_table(const std::vector<StepRow>& rows);

}  // namespace svdlab
