#pragma once
#include <memory>
#include <string>

#include "core/models/flux.h"
#include "core/runtime/executor.h"
#include "experiments/train/cifar10.h"
#include "experiments/train/flat_parameters.h"
#include "experiments/train/optimizer.h"

namespace svdlab {

/// One device's copy of the model, the data and the optimizer state. All replicas start equal and apply the
/// same summed gradient, so they stay equal without ever exchanging weights.
class Replica {
 public:
  Replica(const TrainConfig& config, const std::vector<std::pair<std::string, Tensor>>& initial,
          const LabelledImages& data, at::Device device);

  struct Gradient {
    Tensor gradient;  ///< [count] of the mean loss over the shard
    Tensor loss;      ///< scalar
  };
  /// Draws `count` items of (step, shard) and returns their gradient. Depends on seed, step and shard only.
  Gradient gradient(int64_t step, int64_t shard, int64_t count);
  void apply(int64_t step, Tensor gradient) {
    optimizer_.step(config_, step, parameters_.flat(), std::move(gradient));
  }

  FlatParameters& parameters() { return parameters_; }
  Optimizer& optimizer() { return optimizer_; }
  at::Device device() const { return device_; }

  /// Flow-matching Euler samples [count, 3, 32, 32] of classes 0..9 in turn from the averaged weights.
  Tensor sample(int64_t count, int64_t steps, double guidance);

 private:
  struct Batch {
    Tensor noisy, target;  ///< [B, tokens, 12]
    Tensor labels, sigma;  ///< [B]
  };
  Batch draw(int64_t count, at::Generator& generator) const;
  NamedTensors inputs(const Tensor& tokens, const Tensor& labels, const Tensor& sigma, const Tensor& guidance,
                      const Tensor& token_table, const Tensor& pooled_table) const;

  TrainConfig config_;
  FluxConfig flux_;
  at::Device device_;
  LabelledImages data_;
  Tensor image_ids_, text_ids_;
  FlatParameters parameters_;
  Graph graph_;
  std::unique_ptr<Executor> executor_;
  Optimizer optimizer_;
  std::unique_ptr<Graph> teacher_graph_;
  std::unique_ptr<Executor> teacher_;
  Tensor teacher_tokens_, teacher_pooled_;
};

}  // namespace svdlab
