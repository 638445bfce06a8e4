#pragma once
#include "core/ir/tensor.h"
#include "experiments/train/train_config.h"

namespace svdlab {

/// AdamW (Loshchilov & Hutter, arXiv 1711.05101) with gradient-norm clipping, and an exponential moving
/// average of the weights; on flat vectors, without a host synchronisation.
struct Optimizer {
  Tensor first, second;  ///< [count] fp32 moments
  Tensor average;        ///< [count] fp32 averaged weights

  explicit Optimizer(const Tensor& flat);
  void step(const TrainConfig& config, int64_t step, Tensor& flat, Tensor gradient);
};

}  // namespace svdlab
