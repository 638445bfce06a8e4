#include <map>

#include "core/ir/scheme.h"
#include "core/runtime/fused_executor.h"
#include "experiments/bench/random_artefact.h"
#include "experiments/bench/step_bench.h"

namespace svdlab {
namespace {

// How many nodes each path serves.
std::string counted(const FusionPlan& plan) {
  std::map<std::string, int> nodes;
  for (const NodePath& p : plan.paths) ++nodes[p.path];
  std::string out = concat(plan.nodes.size(), " fused nodes;");
  for (const auto& [path, count] : nodes) out += concat(" ", path, " serves ", count, ",");
  out.back() = ' ';
  return out + "graph nodes";
}

class FusedStep final : public StepModel {
 public:
  FusedStep(const std::string& scheme, const StepShape& shape, at::Device device)
      : inputs_(step_inputs(shape, device)) {
    RandomArtefact artefact = random_artefact(shape.model, {.scheme = scheme}, device);
    graph_ = std::move(artefact.graph);
    executor_ = std::make_unique<FusedExecutor>(graph_, artefact.compressed,
                                                FusedExecutor::Options{.device = device, .threads = 1});
  }

  Tensor run(const GraphRunner::Observer& observer) const override {
    return executor_->run(inputs_, observer);
  }
  const Graph& graph() const override { return graph_; }
  int64_t weight_bytes() const override { return graph_bytes(graph_) + executor_->packed_bytes(); }
  std::string paths() const override { return counted(executor_->plan()); }

 private:
  NamedTensors inputs_;
  Graph graph_;
  std::unique_ptr<FusedExecutor> executor_;
};

}  // namespace

std::unique_ptr<StepModel> make_int4_step(const StepShape& shape, at::Device device) {
  return std::make_unique<FusedStep>("int4", shape, device);
}

std::unique_ptr<StepModel> make_nvfp4_step(const StepShape& shape, at::Device device) {
  return std::make_unique<FusedStep>("nvfp4", shape, device);
}

}  // namespace svdlab
