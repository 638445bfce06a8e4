#include "experiments/train/optimizer.h"

#include <algorithm>
#include <cmath>

namespace svdlab {

Optimizer::Optimizer(const Tensor& flat)
    : first(at::zeros_like(flat)), second(at::zeros_like(flat)), average(flat.clone()) {}

void Optimizer::step(const TrainConfig& config, int64_t step, Tensor& flat, Tensor gradient) {
  const NoGradGuard no_grad;
  const double rate = config.learning_rate_at(step), t = static_cast<double>(step + 1);
  gradient.mul_(at::clamp_max(config.clip_norm / (gradient.norm() + 1e-12), 1.0));
  first.mul_(config.beta1).add_(gradient, 1.0 - config.beta1);
  second.mul_(config.beta2).addcmul_(gradient, gradient, 1.0 - config.beta2);
  const double correct1 = 1.0 - std::pow(config.beta1, t), correct2 = 1.0 - std::pow(config.beta2, t);
  if (config.weight_decay != 0) flat.mul_(1.0 - rate * config.weight_decay);
  flat.addcdiv_(first, (second / correct2).sqrt_().add_(1e-8), -rate / correct1);
  // A young average would remember the initial weights for 1 / (1 - ema) steps.
  const double ema = std::min(config.ema, (t + 1.0) / (t + 10.0));
  average.mul_(ema).add_(flat, 1.0 - ema);
}

}  // namespace svdlab
