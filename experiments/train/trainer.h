#pragma once
#include <string>
#include <vector>

#include "experiments/train/train_config.h"

namespace svdlab {

struct TrainOptions {
  std::string out;                   ///< model folder to write; `out`/state holds what a resume needs
  std::vector<std::string> devices;  ///< torch device names; the batch is split evenly over them
  double stop_after_seconds = 0;     ///< > 0: save the state and stop early
};

/// Trains (or distils, with config.teacher) a model and writes it as a diffusers folder: config.json, bf16
/// shards of at most 12 MiB with an index, conditioning.safetensors, sampling.yaml and loss.h5. Resumes
/// from `out`/state. Returns the number of steps done so far.
int64_t train(const TrainConfig& config, const TrainOptions& options);

}  // namespace svdlab
