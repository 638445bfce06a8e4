#pragma once
#include "core/ir/stats.h"
#include "lowrank/scorer.h"

namespace svdlab {

/// The moments of one transform with the latent of `down` [rank, K]: see InputMoments. The input's own
/// moments come from the Gram matrix, the effect of activation quantization from the tokens of `sample`.
InputMoments input_moments(const ActivationStats& stats, const OnlineTransform& online,
                           const TokenSample& sample, const Tensor& down);

}  // namespace svdlab
