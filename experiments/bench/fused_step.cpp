#include <map>

#include "core/base/error.h"
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
    for (const NodePath& p : executor_->plan().paths)
      SVDLAB_REQUIRE(p.path != "reference", Errc::kConfig, "no kernel serves ", graph_.nodes[p.node].id, ": ",
                     p.reason);
    for (const FusedNode& node : executor_->plan().nodes) name_kinds(node);
  }

  Tensor run(const GraphRunner::Observer& observer) const override {
    return executor_->run(inputs_, observer);
  }
  const Graph& graph() const override { return graph_; }
  int64_t weight_bytes() const override { return graph_bytes(graph_) + executor_->packed_bytes(); }
  std::string paths() const override { return counted(executor_->plan()); }
  std::string kind(int node) const override {
    const auto found = kinds_.find(node);
    return found != kinds_.end() ? found->second : StepModel::kind(node);
  }

 private:
  // A fused node is seen through the graph nodes whose values it makes; its time is at the first of them.
  void name_kinds(const FusedNode& node) {
    const LinearSpec& first = graph_.linears[graph_.nodes[node.products.front().nodes.front()].linear];
    const std::string kind =
        concat("fused ", to_string(first.role), node.products.size() > 1 ? " and more" : "");
    for (const FusedNode::Product& p : node.products) {
      for (const int made : p.nodes) kinds_[made] = kind;
      if (p.heads)
        for (const int made : {p.heads->query, p.heads->key, p.heads->value}) kinds_[made] = kind;
    }
  }

  NamedTensors inputs_;
  Graph graph_;
  std::unique_ptr<FusedExecutor> executor_;
  std::map<int, std::string> kinds_;  // by graph node
};

}  // namespace

std::unique_ptr<StepModel> make_int4_step(const StepShape& shape, at::Device device) {
  return std::make_unique<FusedStep>("int4", shape, device);
}

std::unique_ptr<StepModel> make_int8_step(const StepShape& shape, at::Device device) {
  return std::make_unique<FusedStep>("w8a8", shape, device);
}

std::unique_ptr<StepModel> make_nvfp4_step(const StepShape& shape, at::Device device) {
  return std::make_unique<FusedStep>("nvfp4", shape, device);
}

}  // namespace svdlab
