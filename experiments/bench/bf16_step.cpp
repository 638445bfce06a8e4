#include "core/runtime/executor.h"
#include "experiments/bench/step_bench.h"

namespace svdlab {
namespace {

class Bf16Step final : public StepModel {
 public:
  Bf16Step(const StepShape& shape, at::Device device)
      : inputs_(step_inputs(shape, device)),
        graph_(build_flux(shape.model, random_weights(device))),
        executor_(graph_) {}

  Tensor run(const GraphRunner::Observer& observer) const override {
    return executor_.run(inputs_, observer);
  }
  const Graph& graph() const override { return graph_; }
  int64_t weight_bytes() const override { return graph_bytes(graph_); }

 private:
  NamedTensors inputs_;
  Graph graph_;
  Executor executor_;
};

}  // namespace

std::unique_ptr<StepModel> make_bf16_step(const StepShape& shape, at::Device device) {
  return std::make_unique<Bf16Step>(shape, device);
}

}  // namespace svdlab
